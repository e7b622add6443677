"""Whatever a label is given, a metric keeps to the bound that the catalog computes and prints."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from telemetry._bounds import Bounds
from telemetry.catalog import CATALOG, OTHER, Label, Metric
from telemetry.redaction import MARKER

RECORDINGS = int(os.environ.get("BOUNDS_RECORDINGS", "6000"))
LABELLED = [metric for metric in CATALOG.values() if metric.labels]
TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"  # noqa: S105 - as in the corpus
WIDE = Metric("wide", "counter", "1", "", labels=(Label("a", limit=100), Label("b", limit=100), Label("c", ("x", "y"))))


def ever_new(metric: Metric, number: int) -> dict[str, str]:
    """Labels that nobody has seen before; those with listed values go through all of them."""
    return {
        label.name: label.values[number % len(label.values)] if label.values else f"value {number}"
        for label in metric.labels
    }


@pytest.mark.parametrize("metric", LABELLED, ids=lambda metric: metric.prometheus)
def test_a_metric_of_the_catalog_keeps_to_its_bound(metric: Metric) -> None:
    bounds = Bounds()
    seen = {tuple(bounds.of(metric, ever_new(metric, number)).values()) for number in range(RECORDINGS)}
    combinations = metric.series_bound // (len(metric.buckets) + 3 if metric.buckets else 1)
    assert len(seen) <= combinations
    assert (bounds.overflows[metric.prometheus] > 0) is any(not label.values for label in metric.labels)


def combinations() -> Iterator[dict[str, str]]:
    for number in range(10_000):
        yield {"a": str(number % 100), "b": str(number // 100), "c": "xyz"[number % 3]}


def test_past_2000_combinations_open_labels_become_other() -> None:
    bounds = Bounds()
    found = {tuple(bounds.of(WIDE, labels).values()) for labels in combinations()}
    assert len(found) <= WIDE.series_bound == 2000 + 3
    assert {key for key in found if key[0] == OTHER} == {(OTHER, OTHER, closed) for closed in ("x", "y", OTHER)}
    assert bounds.of(WIDE, {"a": "1", "b": "0", "c": "y"}) == {"a": "1", "b": "0", "c": "y"}


def test_the_bound_is_exact_under_threads() -> None:
    bounds, found = Bounds(), set[tuple[str, ...]]()

    def record() -> None:
        for labels in combinations():
            found.add(tuple(bounds.of(WIDE, labels).values()))

    threads = [threading.Thread(target=record) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) <= WIDE.series_bound


ANY: dict[str, tuple[Mapping[str, Any] | None, tuple[str, ...]]] = {
    "no attributes": (None, (OTHER, OTHER, OTHER)),
    "others": ({"user": "anna", "c": "x"}, (OTHER, OTHER, "x")),
    "no texts": ({"a": 1, "b": None, "c": ["x"]}, ("1", "None", OTHER)),
    "a secret": ({"a": f"bot{TOKEN}", "b": "", "c": "y"}, (f"bot{MARKER}", "", "y")),
}


@pytest.mark.parametrize(("attributes", "labels"), ANY.values(), ids=ANY)
def test_any_attributes_become_the_metrics_labels(
    attributes: Mapping[str, Any] | None, labels: tuple[str, ...]
) -> None:
    assert tuple(Bounds().of_any(WIDE, attributes).values()) == labels


def test_what_overflows_is_counted_each_time() -> None:
    bounds = Bounds()
    for _ in range(3):
        bounds.of(WIDE, {"a": "1", "b": "1", "c": "z"})
    assert bounds.overflows == {"wide_total": 3}
    bounds.begin_again()
    assert bounds.overflows == {}
