"""A series begins at 0, so that its first increment counts.

Prometheus takes the first sample of a counter for its beginning: `rate()` and `increase()` do not see what it holds
already, and an error that happens once never alerts. Series known beforehand exist at 0 from the start; for those that
nobody could know (an exception of a new type) the exporter sends with the first point one of 0, just before the point's
own start time, when the series came into being and held nothing.

https://github.com/prometheus/prometheus/issues/3886
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.metrics.export import (
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    Sum,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.metrics.export import AggregationTemporality

__all__ = ["ZeroPointExporter"]

Series = tuple[str, tuple[tuple[str, Any], ...]]
Point = TypeVar("Point", NumberDataPoint, HistogramDataPoint)
_MILLISECOND = 1_000_000
"""Prometheus's resolution, in OpenTelemetry's nanoseconds."""


class ZeroPointExporter(MetricExporter):
    """Sends through another exporter; counters and histograms come with the 0 they begin at."""

    def __init__(self, exporter: MetricExporter, temporality: Mapping[type, AggregationTemporality]) -> None:
        """Send through `exporter`. `temporality` must be cumulative: of differences, 0 is no beginning."""
        super().__init__(preferred_temporality=dict(temporality))
        self._exporter = exporter
        self._begun: set[Series] = set()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> MetricExportResult:
        """Send; a 0 that did not arrive goes again with the next export, at the same time as before."""
        beginning: set[Series] = set()
        result = self._exporter.export(self._begin(metrics_data, beginning), timeout_millis, **kwargs)
        if result is MetricExportResult.SUCCESS:
            self._begun |= beginning
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what the exporter holds."""
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Stop the exporter."""
        self._exporter.shutdown(timeout_millis, **kwargs)

    def _begin(self, data: MetricsData, beginning: set[Series]) -> MetricsData:
        """Return the data with the zeros of the series that begin, which are added to `beginning`."""
        resources = [
            replace(resource, scope_metrics=[
                replace(scope, metrics=[self._begin_metric(metric, beginning) for metric in scope.metrics])
                for scope in resource.scope_metrics
            ])
            for resource in data.resource_metrics
        ]  # fmt: skip
        return MetricsData(resources)

    def _begin_metric(self, metric: Metric, beginning: set[Series]) -> Metric:
        if isinstance(metric.data, Sum) and metric.data.is_monotonic:
            numbers = [_zero_number(point) for point in self._new(metric, metric.data.data_points, beginning)]
            return replace(metric, data=replace(metric.data, data_points=[*numbers, *metric.data.data_points]))
        if isinstance(metric.data, Histogram):
            counts = [_zero_histogram(point) for point in self._new(metric, metric.data.data_points, beginning)]
            return replace(metric, data=replace(metric.data, data_points=[*counts, *metric.data.data_points]))
        return metric

    def _new(self, metric: Metric, points: Sequence[Point], beginning: set[Series]) -> list[Point]:
        """Return the points that hold something and whose series has not begun."""
        found = []
        for point in points:
            series = metric.name, tuple(sorted((point.attributes or {}).items()))
            if series not in self._begun:
                beginning.add(series)
                if _holds_something(point):
                    found.append(point)
        return found


def _holds_something(point: NumberDataPoint | HistogramDataPoint) -> bool:
    return bool(point.count if isinstance(point, HistogramDataPoint) else point.value)


def _birth(point: NumberDataPoint | HistogramDataPoint) -> int:
    """Return the time of a point's zero: the same in each export, and never that of the point itself."""
    return point.start_time_unix_nano - _MILLISECOND


def _zero_number(point: NumberDataPoint) -> NumberDataPoint:
    at = _birth(point)
    return replace(point, start_time_unix_nano=at, time_unix_nano=at, value=0, exemplars=[])


def _zero_histogram(point: HistogramDataPoint) -> HistogramDataPoint:
    at = _birth(point)
    return HistogramDataPoint(
        attributes=point.attributes,
        start_time_unix_nano=at,
        time_unix_nano=at,
        count=0,
        sum=0,
        bucket_counts=[0] * len(point.bucket_counts),
        explicit_bounds=point.explicit_bounds,
        min=0,
        max=0,
    )
