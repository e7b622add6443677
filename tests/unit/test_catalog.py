"""The catalog holds the plan's metrics to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from telemetry.catalog import CATALOG, Label, Metric, register
from tests.plan_metrics import COPY, PlannedMetric, code_of_plan, planned_metrics

PLAN = Path(__file__).parents[3] / "shared" / "plan.md"
BY_PROMETHEUS_NAME = {metric.prometheus: metric for metric in CATALOG.values()}


@pytest.mark.skipif(not PLAN.exists(), reason="the plan is not beside this checkout")
def test_the_kept_copy_is_the_plans_own_code() -> None:
    assert COPY.read_text() == code_of_plan(PLAN.read_text())


def test_the_plan_is_read_whole() -> None:
    assert len(planned_metrics()) == 15


@pytest.mark.parametrize("planned", planned_metrics(), ids=lambda planned: planned.name)
def test_a_planned_metric_has_the_plans_name_labels_and_buckets(planned: PlannedMetric) -> None:
    metric = BY_PROMETHEUS_NAME[planned.name]
    assert tuple(label.name for label in metric.labels) == planned.labels
    assert metric.buckets == planned.buckets
    assert metric.kind == planned.kind or (metric.kind, planned.kind) == ("updowncounter", "gauge")


def test_no_label_can_hold_an_identity() -> None:
    names = {label.name for metric in CATALOG.values() for label in metric.labels}
    assert not names & {"user", "user_id", "chat_id", "username", "path", "url", "message"}


@pytest.mark.parametrize("metric", CATALOG.values(), ids=lambda metric: metric.name)
def test_every_label_is_bounded_and_every_example_query_names_its_metric(metric: Metric) -> None:
    assert all(label.bound > 1 for label in metric.labels)
    assert metric.prometheus in metric.query


@pytest.mark.parametrize("metric", CATALOG.values(), ids=CATALOG)
def test_no_label_is_one_that_prometheus_sets_itself(metric: Metric) -> None:
    assert not {label.name for label in metric.labels} & {"job", "instance", "service_name", "le", "quantile"}


def test_a_name_that_is_taken_fails_at_once() -> None:
    with pytest.raises(ValueError, match=r"http\.requests is in the catalog already"):
        register(Metric("http.requests", "counter", "1", "again", query=""))


def test_a_histogram_without_buckets_is_refused() -> None:
    with pytest.raises(ValueError, match="a histogram needs buckets"):
        Metric("some.duration", "histogram", "s", "no buckets", query="")


def test_the_bound_of_series_counts_label_combinations_and_buckets() -> None:
    labels = (Label("a", ("x", "y")), Label("b", limit=3))
    assert Metric("m", "counter", "1", "", query="", labels=labels).series_bound == 3 * 4
    assert Metric("h", "histogram", "s", "", query="", labels=labels, buckets=(1, 2)).series_bound == 3 * 4 * 5
