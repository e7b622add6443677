"""A series that nobody knew beforehand begins at 0 on the wire, once, whatever becomes of an export."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)

from telemetry.zero_points import ZeroPointExporter


class Wire(MetricExporter):
    """Keeps what is sent, and refuses it where told to."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[MetricsData] = []
        self.result = MetricExportResult.SUCCESS

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
        self.taken.append(metrics_data)
        return self.result

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        pass

    def last(self, name: str) -> list[Any]:
        """The points of a metric in the last export."""
        metrics = [m for r in self.taken[-1].resource_metrics for scope in r.scope_metrics for m in scope.metrics]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]


class Sender:
    """A meter whose metrics go to the wire when asked."""

    def __init__(self) -> None:
        self.wire, self._reader = Wire(), InMemoryMetricReader()
        self._exporter = ZeroPointExporter(self.wire, {})
        self.meter = MeterProvider([self._reader]).get_meter("test")

    def send(self) -> None:
        data = self._reader.get_metrics_data()
        assert data is not None
        self._exporter.export(data)


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_the_first_increment_comes_with_a_zero_before_it(sender: Sender) -> None:
    sender.meter.create_counter("errors").add(3, {"error_type": "Rare"})
    sender.send()
    zero, first = sender.wire.last("errors")
    assert (zero.value, first.value, zero.attributes) == (0, 3, {"error_type": "Rare"})
    assert zero.time_unix_nano <= min(first.start_time_unix_nano, first.time_unix_nano) - 1_000_000


def test_a_histogram_begins_empty(sender: Sender) -> None:
    sender.meter.create_histogram("lag").record(0.3)
    sender.send()
    zero, first = sender.wire.last("lag")
    assert (zero.count, zero.sum, sum(zero.bucket_counts)) == (0, 0, 0)
    assert (first.count, len(zero.bucket_counts)) == (1, len(first.bucket_counts))


def test_a_series_begins_once_and_each_on_its_own(sender: Sender) -> None:
    counter = sender.meter.create_counter("errors")
    counter.add(1, {"error_type": "Rare"})
    sender.send()
    counter.add(1, {"error_type": "Rarer"})
    sender.send()
    assert [(point.attributes["error_type"], point.value) for point in sender.wire.last("errors")] == [
        ("Rarer", 0), ("Rare", 1), ("Rarer", 1),
    ]  # fmt: skip


def test_a_series_that_exists_at_zero_needs_no_other(sender: Sender) -> None:
    counter = sender.meter.create_counter("errors")
    counter.add(0)
    sender.send()
    counter.add(1)
    sender.send()
    assert [point.value for point in sender.wire.last("errors")] == [1]


def test_a_zero_that_did_not_arrive_goes_again_at_the_same_time(sender: Sender) -> None:
    counter = sender.meter.create_counter("errors")
    counter.add(1)
    sender.wire.result = MetricExportResult.FAILURE
    sender.send()
    lost = sender.wire.last("errors")[0]
    sender.wire.result = MetricExportResult.SUCCESS
    sender.send()
    zero, first = sender.wire.last("errors")
    assert (zero.value, zero.time_unix_nano, first.value) == (0, lost.time_unix_nano, 1)


def test_what_can_fall_has_no_beginning(sender: Sender) -> None:
    sender.meter.create_up_down_counter("held").add(2)
    sender.meter.create_gauge("level").set(2)
    sender.send()
    assert [point.value for name in ("held", "level") for point in sender.wire.last(name)] == [2, 2]
