"""An application's own metrics: added to the catalog at any time; what is not there is dropped and named once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Meter, Observation

import telemetry
from telemetry import _guard
from telemetry.catalog import CATALOG
from telemetry.testing import Capture

PACE = telemetry.Label("pace", ("slow", "fast"))
WALKS = telemetry.Metric("walks", "counter", "{walk}", "Walks users have taken.", labels=(PACE,))
LENGTH = telemetry.Metric("walk.length", "histogram", "m", "How far they went.", buckets=(100, 1000, 5000))
WEATHER = telemetry.Metric("weather", "gauge", "Cel", "How warm it is.", labels=(telemetry.Label("city", limit=2),))


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Leave the catalog as it was."""
    before = dict(CATALOG)
    yield
    CATALOG.clear()
    CATALOG.update(before)


def use() -> None:
    walks, length, weather = map(telemetry.register_metric, (WALKS, LENGTH, WEATHER))
    walks.add(1, pace="fast")
    walks.add(2, pace="hurried")
    length.record(800)
    weather.set(21.5, city="Rome")


def test_a_metric_that_is_registered_after_the_start_is_recorded_all_the_same(telemetry_capture: Capture) -> None:
    use()
    assert telemetry_capture.metrics() == {
        "walks": {("fast",): 1, ("other",): 2}, "walk.length": {(): 1}, "weather": {("Rome",): 21.5},
    }  # fmt: skip


@pytest.mark.parametrize("late", [True, False], ids=["after the start", "before"])
def test_its_buckets_are_its_own(*, late: bool) -> None:
    if not late:
        telemetry.register_metric(LENGTH)
    with Capture() as capture:
        telemetry.register_metric(LENGTH).record(800)
        ((_, point),) = [found for found in capture._points() if found[0] == "walk.length"]
    assert tuple(point.explicit_bounds) == LENGTH.buckets
    assert tuple(point.bucket_counts) == (0, 1, 0, 0)


def test_the_same_metric_may_be_registered_twice_and_another_of_its_name_may_not() -> None:
    telemetry.register_metric(WALKS)
    telemetry.register_metric(WALKS)
    with pytest.raises(ValueError, match=r"walks is in the catalog already; use it, or choose another name"):
        telemetry.register_metric(telemetry.Metric("walks", "counter", "{walk}", "Others."))


def test_two_names_that_are_one_in_prometheus_are_refused() -> None:
    telemetry.register_metric(LENGTH)
    with pytest.raises(ValueError, match=r"walk_length is in the catalog already"):
        telemetry.register_metric(telemetry.Metric("walk_length", "gauge", "m", "The last one."))


def test_a_label_without_a_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="The label city needs all its values, or a limit of at least 1"):
        telemetry.Label("city")


def test_a_wrong_call_raises_nothing_into_the_application(
    telemetry_capture: Capture, caplog: pytest.LogCaptureFixture
) -> None:
    _guard.set_strict(False)
    telemetry.register_metric(LENGTH).add(1)
    assert telemetry_capture.number("walk_length") == 0
    assert "walk.length is a histogram (got what a counter is recorded by)" in caplog.text


CREATE = {
    "counter": lambda meter: meter.create_counter("stray").add(1),
    "up-down counter": lambda meter: meter.create_up_down_counter("stray").add(1),
    "histogram": lambda meter: meter.create_histogram("stray").record(1),
    "gauge": lambda meter: meter.create_gauge("stray").set(1),
    "observable counter": lambda meter: meter.create_observable_counter("stray", [lambda _: []]),
    "observable up-down counter": lambda meter: meter.create_observable_up_down_counter("stray", [lambda _: []]),
    "observable gauge": lambda meter: meter.create_observable_gauge("stray", [lambda _: []]),
}


@pytest.mark.parametrize("create", CREATE.values(), ids=CREATE)
def test_what_is_not_in_the_catalog_is_dropped_and_named_once(
    telemetry_capture: Capture, caplog: pytest.LogCaptureFixture, create: object
) -> None:
    meter: Meter = telemetry_capture.runtime.meter_provider.get_meter("app.walks")
    for _ in range(3):
        create(meter)  # type: ignore[operator]
    assert telemetry_capture.series() == {}
    assert [record.message for record in caplog.records] == [
        "The metric stray of app.walks is dropped: it is not in the catalog; telemetry.register_metric adds it."
    ]


@pytest.mark.parametrize("scope", ["opentelemetry.instrumentation.asgi", "pydantic-ai"])
def test_of_what_ours_replace_nobody_hears(
    telemetry_capture: Capture, caplog: pytest.LogCaptureFixture, scope: str
) -> None:
    telemetry_capture.runtime.meter_provider.get_meter(scope).create_counter("http.server.requests").add(1)
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_a_metric_of_the_catalog_may_be_made_by_the_meter_too(telemetry_capture: Capture) -> None:
    telemetry.register_metric(WALKS)
    telemetry.get_meter().create_counter("walks").add(3, {"pace": "slow"})
    assert telemetry_capture.number("walks_total", pace="slow") == 3


def asked(_: CallbackOptions) -> list[Observation]:
    return [Observation(3, {"pace": "slow", "user": "anna"}), *(Observation(2, {"pace": name}) for name in ("a", "b"))]


def sent_to() -> Generator[list[Observation], CallbackOptions, None]:
    options = yield []
    while True:
        options = yield asked(options)


@pytest.mark.parametrize("callback", [lambda: asked, sent_to], ids=["a function", "a generator"])
def test_what_is_observed_stays_within_its_bounds(telemetry_capture: Capture, callback: Callable[[], Any]) -> None:
    telemetry.register_metric(WALKS)
    telemetry.get_meter().create_observable_counter("walks", [callback()])
    assert telemetry_capture.series()["walks"] == {("other",): 4.0, ("slow",): 3.0}


def test_a_label_that_cannot_be_written_is_other(telemetry_capture: Capture) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError

    telemetry.register_metric(WALKS)
    wrong: Any = Unspeakable()
    telemetry.get_meter().create_counter("walks").add(1, {"pace": wrong})
    assert telemetry_capture.number("walks_total", pace="other") == 1
