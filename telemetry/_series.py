"""The sums and histograms of the catalog's metrics, added up here instead of in the SDK.

Recording a value is what a library of metrics does most. The SDK makes a measurement, asks a filter, looks for views
that match and hashes the attributes, each time; here a series is found by its labels once, and a value is a lock and an
addition. What is collected has the SDK's own form, exemplars included.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, ClassVar

from opentelemetry import trace
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)

from telemetry._current_entry import current_entry
from telemetry._current_span import current_span

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext
    from opentelemetry.util.types import Attributes

    from telemetry import catalog

    Labels = tuple[str, ...]
    """A series' values in the order of its metric's labels."""

__all__ = ["ALWAYS_OFF", "ALWAYS_ON", "TRACE_BASED", "HistogramSeries", "Series", "SeriesStore", "SumSeries"]

_CUMULATIVE = AggregationTemporality.CUMULATIVE
TRACE_BASED, ALWAYS_ON, ALWAYS_OFF = "trace_based", "always_on", "always_off"


class Series:
    """One series; exact under threads."""

    __slots__ = ("_attributes", "_born", "_exemplars", "_lock", "_which")

    def __init__(self, attributes: Attributes, which: str) -> None:
        """Begin at zero; `which` measurements may become exemplars."""
        self._attributes = attributes
        self._born = time.time_ns()
        self._lock = threading.Lock()
        self._which = which
        self._exemplars: dict[int, tuple[float, int, SpanContext]] = {}

    def _example(self, place: int, value: float) -> None:
        """Keep a measurement as the newest example of its bucket, where its trace is recorded.

        Not to be called within an entry of which nothing is recorded, unless all may be examples: most requests, where
        to ask for the span takes longer than to add the value.
        """
        span = current_span()
        context = span.get_span_context() if span is not None else trace.INVALID_SPAN_CONTEXT
        if context.trace_flags & trace.TraceFlags.SAMPLED or self._which is ALWAYS_ON:
            self._exemplars[place] = (value, time.time_ns(), context)

    def _take_examples(self) -> list[Exemplar]:
        taken, self._exemplars = self._exemplars, {}
        return [
            Exemplar({}, value, at, *((span.span_id, span.trace_id) if span.is_valid else (None, None)))
            for value, at, span in taken.values()
        ]


class SumSeries(Series):
    """A sum of what is added."""

    __slots__ = ("_value",)

    def __init__(self, attributes: Attributes, which: str) -> None:
        """Begin at zero."""
        super().__init__(attributes, which)
        self._value: float = 0

    def measure(self, amount: float) -> None:
        """Add."""
        with self._lock:
            self._value += amount
        if amount and self._which is not ALWAYS_OFF:
            entry = current_entry.get()
            if entry is None or entry.recorded or self._which is ALWAYS_ON:
                self._example(0, amount)

    def point(self, now: int) -> NumberDataPoint:
        """Return the sum as it stands."""
        with self._lock:
            return NumberDataPoint(self._attributes, self._born, now, self._value, self._take_examples())


class HistogramSeries(Series):
    """How many values fell into each bucket; a value at a bound belongs to the bucket that the bound ends."""

    __slots__ = ("_bounds", "_counts", "_max", "_min", "_sum")

    def __init__(self, attributes: Attributes, which: str, bounds: tuple[float, ...]) -> None:
        """Begin empty."""
        super().__init__(attributes, which)
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._min, self._max = float("inf"), float("-inf")

    def measure(self, value: float) -> None:
        """Count a value."""
        place = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[place] += 1
            self._sum += value
            if value < self._min:  # noqa: PLR1730 - a call of min() takes longer
                self._min = value
            if value > self._max:  # noqa: PLR1730
                self._max = value
        if self._which is not ALWAYS_OFF:
            entry = current_entry.get()
            if entry is None or entry.recorded or self._which is ALWAYS_ON:
                self._example(place, value)

    def point(self, now: int) -> HistogramDataPoint:
        """Return the counts as they stand."""
        with self._lock:
            return HistogramDataPoint(
                attributes=self._attributes,
                start_time_unix_nano=self._born,
                time_unix_nano=now,
                count=sum(self._counts),
                sum=self._sum,
                bucket_counts=list(self._counts),
                explicit_bounds=self._bounds,
                min=self._min,
                max=self._max,
                exemplars=self._take_examples(),
            )


class SeriesStore:
    """All series of one meter provider."""

    SUMS: ClassVar[frozenset[str]] = frozenset({"counter", "updowncounter"})

    def __init__(self, which: str = TRACE_BASED) -> None:
        """Begin with none; `which` measurements may become exemplars: a value of OTEL_METRICS_EXEMPLAR_FILTER."""
        self._which = {kind: kind for kind in (ALWAYS_ON, ALWAYS_OFF)}.get(which, TRACE_BASED)
        self._lock = threading.Lock()
        self._sums: dict[str, tuple[catalog.Metric, dict[Labels, SumSeries]]] = {}
        self._histograms: dict[str, tuple[catalog.Metric, dict[Labels, HistogramSeries]]] = {}

    def sum(self, metric: catalog.Metric, labels: Labels) -> SumSeries:
        """Return the series of these labels of a counter or an up-down counter."""
        with self._lock:
            _, found = self._sums.setdefault(metric.name, (metric, {}))
            if labels not in found:
                found[labels] = SumSeries(metric.attributes(labels), self._which)
            return found[labels]

    def histogram(self, metric: catalog.Metric, labels: Labels) -> HistogramSeries:
        """Return the series of these labels of a histogram."""
        with self._lock:
            _, found = self._histograms.setdefault(metric.name, (metric, {}))
            if labels not in found:
                found[labels] = HistogramSeries(metric.attributes(labels), self._which, metric.buckets)
            return found[labels]

    def collect(self) -> list[Metric]:
        """Return every metric that has a series, in the SDK's form."""
        now = time.time_ns()
        with self._lock:
            sums = [(metric, list(series.values())) for metric, series in self._sums.values()]
            histograms = [(metric, list(series.values())) for metric, series in self._histograms.values()]
        return [
            Metric(metric.name, metric.description, metric.unit,
                   Sum([one.point(now) for one in series], _CUMULATIVE, is_monotonic=metric.kind == "counter"))
            for metric, series in sums
        ] + [
            Metric(metric.name, metric.description, metric.unit,
                   Histogram([one.point(now) for one in series], _CUMULATIVE))
            for metric, series in histograms
        ]  # fmt: skip
