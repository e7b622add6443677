"""Recording stays within the catalog's bounds and never raises into the application."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.metrics.export import HistogramDataPoint

from telemetry import _guard, catalog
from telemetry.instruments import Instruments
from tests.conftest import Recorded


def test_a_counter_adds_up_by_its_labels(recorded: Recorded) -> None:
    for status in ("success", "success", "error"):
        labels = {"message_type": "text", "status": status}
        recorded.runtime.instruments.add(catalog.TELEGRAM_MESSAGES, 1, labels)
    assert recorded.metrics()["telegram.messages"] == {("text", "success"): 2, ("text", "error"): 1}


def test_a_value_outside_a_closed_list_becomes_other(recorded: Recorded) -> None:
    labels = {"message_type": "sticker <script>", "status": "success"}
    recorded.runtime.instruments.add(catalog.TELEGRAM_MESSAGES, 1, labels)
    assert recorded.metrics()["telegram.messages"] == {("other", "success"): 1}


def test_values_past_a_labels_limit_become_other(recorded: Recorded) -> None:
    for number in range(1000):
        labels = {"error_type": f"Error{number}", "component": "api"}
        recorded.runtime.instruments.add(catalog.ERRORS, 1, labels)
    series = recorded.metrics()["errors"]
    assert len(series) == catalog.ERROR_TYPE.bound
    assert series["api", "other"] == 1000 - catalog.ERROR_TYPE.limit


def test_a_metric_that_is_not_in_the_catalog_is_dropped(recorded: Recorded) -> None:
    recorded.runtime.meter_provider.get_meter("application").create_counter("my.own").add(1)
    assert "my.own" not in recorded.metrics()


def test_a_gauge_keeps_its_value_until_it_is_set_again(recorded: Recorded) -> None:
    instruments = recorded.runtime.instruments
    instruments.set(catalog.ACTIVE_USERS, 3, {"time_period": "last_hour"})
    instruments.set(catalog.ACTIVE_USERS, 5, {"time_period": "last_hour"})
    assert recorded.metrics()["active.users.total"] == {("last_hour",): 5}


def test_sources_of_one_gauge_add_up_and_can_be_stopped(recorded: Recorded) -> None:
    instruments = recorded.runtime.instruments
    stop = instruments.observe(catalog.DB_CONNECTIONS_ACTIVE, lambda: [(2, {})])
    instruments.observe(catalog.DB_CONNECTIONS_ACTIVE, lambda: [(3, {})])
    assert recorded.metrics()["db.connections.active"] == {(): 5}
    stop()
    stop()
    assert recorded.metrics()["db.connections.active"] == {(): 3}


def test_a_missing_label_is_our_mistake_and_not_the_applications(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    _guard.set_strict(False)
    for _ in range(2):
        recorded.runtime.instruments.add(catalog.HTTP_REQUESTS, 1, {"method": "GET"})
    assert [r.message for r in caplog.records if "record a metric" in r.message] == [
        "telemetry failed to record a metric; the application is not affected, this is logged once"
    ]
    assert _guard.failures["record a metric"] >= 2


LABELS = {"method": "GET", "endpoint": "/", "status": "200"}


def count_bound(instruments: Instruments, endpoint: str) -> None:
    labels = LABELS | {"endpoint": endpoint}
    for series in instruments.bound(endpoint, lambda: [(catalog.HTTP_REQUESTS, labels)]):
        series.measure(1)


def test_what_is_bound_is_the_series_that_its_labels_find(recorded: Recorded) -> None:
    instruments = recorded.runtime.instruments
    for _ in range(2):
        count_bound(instruments, "/foods")
    instruments.add(catalog.HTTP_REQUESTS, 1, LABELS | {"endpoint": "/foods"})
    assert recorded.metrics()["http.requests"]["/foods", "GET", "200"] == 3


def test_what_is_bound_keeps_to_the_bounds_and_is_then_not_remembered(recorded: Recorded) -> None:
    for number in range(1000):
        count_bound(recorded.runtime.instruments, f"/{number}")
    series = recorded.metrics()["http.requests"]
    assert sum(series.values()) == 1000
    assert series["other", "GET", "200"] > 0
    assert len(recorded.runtime.instruments._bound) == len(series) - 1


def test_nothing_is_bound_while_metrics_are_switched_off_and_all_is_afterwards(recorded: Recorded) -> None:
    instruments = recorded.runtime.instruments
    count_bound(instruments, "/foods")
    recorded.runtime.switches.metrics = False
    count_bound(instruments, "/foods")
    recorded.runtime.switches.metrics = True
    count_bound(instruments, "/foods")
    assert recorded.metrics()["http.requests"]["/foods", "GET", "200"] == 2


def test_a_forked_child_binds_anew(recorded: Recorded) -> None:
    instruments = recorded.runtime.instruments
    count_bound(instruments, "/foods")
    instruments.begin_again()
    assert not instruments._bound


def test_without_a_meter_nothing_is_recorded_and_nothing_fails() -> None:
    Instruments().add(catalog.FOOD_PHOTOS, 1, {"confidence_level": "high"})


HISTOGRAMS = {name: metric for name, metric in catalog.CATALOG.items() if metric.kind == "histogram"}


@pytest.mark.parametrize("metric", HISTOGRAMS.values(), ids=HISTOGRAMS)
def test_a_percentile_read_from_the_buckets_is_right_within_a_tenth(recorded: Recorded, metric: catalog.Metric) -> None:
    top = metric.buckets[-1]
    labels = {label.name: label.values[0] if label.values else "x" for label in metric.labels}
    for number in range(2000):
        recorded.runtime.instruments.record(metric, top * number / 2000, labels)
    assert p95(recorded, metric.name) == pytest.approx(0.95 * top, rel=0.1)


def p95(recorded: Recorded, name: str) -> float:
    """Read a percentile as Prometheus does: the bucket it is in, and linearly within that."""
    data = recorded._reader.get_metrics_data()
    assert data is not None
    metrics = [m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics if m.name == name]
    (point,) = [point for metric in metrics for point in metric.data.data_points]
    assert isinstance(point, HistogramDataPoint)
    rank, below, lower = 0.95 * point.count, 0, 0.0
    for count, bound in zip(point.bucket_counts, point.explicit_bounds, strict=False):
        if below + count >= rank:
            return lower + (bound - lower) * (rank - below) / count
        below, lower = below + count, bound
    raise AssertionError
