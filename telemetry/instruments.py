"""Recording into the catalog's metrics: the only way a number becomes a series.

An `Instruments` belongs to one meter provider, so that two set-ups in one process do not share anything. Label values
past the catalog's bounds become `other`; recording never raises into the application.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, NoOpMeter, Observation

from telemetry._bounds import Bounds
from telemetry._guard import Guard
from telemetry.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from telemetry.catalog import Metric

    Source = Callable[[], Iterable[tuple[float, Mapping[str, str]]]]

__all__ = ["Instruments"]


_recording = Guard("record a metric")
_observing = Guard("observe a metric")


class Instruments:
    """The catalog's instruments on one meter."""

    def __init__(
        self, meter: Meter | None = None, switches: Switches | None = None, bounds: Bounds | None = None
    ) -> None:
        """Prepare for a meter; without one, or while metrics are switched off, nothing is recorded.

        `bounds` are those of the meter's provider.
        """
        self._switches = switches or Switches()
        self._bounds = bounds or Bounds()
        self._meter = meter or NoOpMeter("telemetry")
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._sources: dict[str, list[Source]] = {}
        self._values: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        self._zeros: dict[tuple[str, ...], tuple[Metric, dict[str, str]]] = {}

    def begin_again(self) -> None:
        """Do once more, in a forked child, what was done for its parent: series at zero; what was set is not known."""
        for values in self._values.values():
            values.clear()
        for metric, labels in list(self._zeros.values()):
            self.add(metric, 0, labels)

    def add(self, metric: Metric, amount: float = 1, labels: Mapping[str, str] | None = None) -> None:
        """Add to a counter."""
        if not self._switches.metrics:
            return
        with _recording:
            counter = self._counters.get(metric.name)
            if counter is None:
                counter = self._meter.create_counter(metric.name, metric.unit, metric.description)
                self._counters[metric.name] = counter
            counter.add(amount, self._bounds.of(metric, labels or {}))

    def start_at_zero(self, metric: Metric, **known: Iterable[str]) -> None:
        """Let every combination of known label values exist at 0, so that the first increment is seen by `rate()`.

        Values of labels that the catalog leaves open come from `known`.
        """
        values = [known.get(label.name, label.values) for label in metric.labels]
        for combination in itertools.product(*values):
            labels = dict(zip((label.name for label in metric.labels), combination, strict=True))
            self._zeros[metric.name, *combination] = (metric, labels)
            self.add(metric, 0, labels)

    def record(self, metric: Metric, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Record one value into a histogram, in the metric's unit."""
        if not self._switches.metrics:
            return
        with _recording:
            histogram = self._histograms.get(metric.name)
            if histogram is None:
                histogram = self._meter.create_histogram(metric.name, metric.unit, metric.description)
                self._histograms[metric.name] = histogram
            histogram.record(value, self._bounds.of(metric, labels or {}))

    def set(self, metric: Metric, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Set a gauge; it keeps the value until it is set again."""
        if not self._switches.metrics:
            return
        with _recording:
            bounded = self._bounds.of(metric, labels or {})
            if metric.name not in self._values:
                values = self._values[metric.name] = {}
                self.observe(metric, lambda: [(found, dict(key)) for key, found in list(values.items())])
            self._values[metric.name][tuple(sorted(bounded.items()))] = value

    def observe(self, metric: Metric, source: Source) -> Callable[[], None]:
        """Read a gauge or an observable counter from `source` at each collection; returns how to stop that.

        `source` returns pairs of value and labels. Several sources may feed one metric; pairs with the same labels
        are added up.
        """
        sources = self._sources.setdefault(metric.name, [])
        if not sources:
            self._create_observable(metric)
        sources.append(source)

        def stop() -> None:
            if source in sources:
                sources.remove(source)

        return stop

    def _create_observable(self, metric: Metric) -> None:
        create: Any = {
            "counter": self._meter.create_observable_counter,
            "gauge": self._meter.create_observable_gauge,
            "updowncounter": self._meter.create_observable_up_down_counter,
        }[metric.kind]
        create(metric.name, [lambda options: self._collect(metric, options)], metric.unit, metric.description)

    def _collect(self, metric: Metric, _options: CallbackOptions) -> list[Observation]:
        sums: dict[tuple[tuple[str, str], ...], float] = {}
        if not self._switches.metrics:
            return []
        for source in list(self._sources[metric.name]):
            with _observing:
                for value, labels in source():
                    key = tuple(sorted(self._bounds.of(metric, labels).items()))
                    sums[key] = sums.get(key, 0) + value
        return [Observation(value, dict(key)) for key, value in sums.items()]
