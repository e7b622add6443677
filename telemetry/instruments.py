"""Recording into the catalog's metrics: the only way a number becomes a series.

An `Instruments` belongs to one meter provider, so that two set-ups in one process do not share anything. Label values
past the catalog's bounds become `other`; recording never raises into the application.
"""

from __future__ import annotations

import itertools
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, Meter, NoOpMeter, Observation

from telemetry._bounds import Bounds
from telemetry._guard import Guard
from telemetry.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

    from telemetry._series import HistogramSeries, SeriesStore, SumSeries
    from telemetry.catalog import Metric

    Series = SumSeries | HistogramSeries
    Measure = tuple[Metric, Mapping[str, str]]
    Source = Callable[[], Iterable[tuple[float, Mapping[str, str]]]]

__all__ = ["Instruments"]


_NONE: Mapping[str, str] = MappingProxyType({})
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
        self._store: SeriesStore | None = getattr(meter, "store", None)
        self._series: dict[tuple[str, Hashable], Series] = {}
        self._bound: dict[Hashable, Sequence[Series]] = {}
        self._sources: dict[str, list[Source]] = {}
        self._values: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
        self._zeros: dict[tuple[str, ...], tuple[Metric, dict[str, str]]] = {}

    def begin_again(self) -> None:
        """Do once more, in a forked child, what was done for its parent: series at zero; what was set is not known."""
        self._store = getattr(self._meter, "store", None)
        self._series.clear()
        self._bound.clear()
        for values in self._values.values():
            values.clear()
        for metric, labels in list(self._zeros.values()):
            self.add(metric, 0, labels)

    @property
    def is_on(self) -> bool:
        """Whether anything is recorded now."""
        return self._store is not None and self._switches.metrics

    def add(self, metric: Metric, amount: float = 1, labels: Mapping[str, str] = _NONE) -> None:
        """Add to a counter."""
        self.record(metric, amount, labels)

    def record(self, metric: Metric, value: float, labels: Mapping[str, str] = _NONE) -> None:
        """Record one value, in the metric's unit: into a histogram, or onto a counter's sum."""
        if self._store is not None and self._switches.metrics:
            try:
                series = self._series.get((metric.name, metric.pick(labels))) or self._within(metric, labels)
                series.measure(value)
            except Exception as error:  # noqa: BLE001 - the guard's own kind
                _recording.caught(error)

    def bound(self, key: Hashable, measures: Callable[[], Sequence[Measure]]) -> Sequence[Series]:
        """Return the series of what is measured together, in the order of `measures`, which is asked once a `key`.

        Of none while metrics are off; raises what a missing label raises. For who records several values a request: to
        find each by its labels takes longer than to add it.
        """
        if self._store is None or not self._switches.metrics:
            return ()
        return self._bound.get(key) or self._bind(key, measures())

    def _bind(self, key: Hashable, measures: Sequence[Measure]) -> Sequence[Series]:
        found = tuple(self._within(metric, labels) for metric, labels in measures)
        if all((metric.name, metric.pick(labels)) in self._series for metric, labels in measures):
            self._bound[key] = found  # within all bounds; else there might be no end to them
        return found

    def _within(self, metric: Metric, labels: Mapping[str, str]) -> Series:
        """Find a series; it is remembered by the values asked for, unless one was past its bound: those never end."""
        assert self._store is not None  # noqa: S101 - asked by the callers
        asked = tuple(labels[name] for name in metric.label_names)
        bounded = tuple(self._bounds.of(metric, labels).values())
        find = self._store.histogram if metric.kind == "histogram" else self._store.sum
        series = find(metric, bounded)
        if bounded == asked:
            self._series[metric.name, metric.pick(labels)] = series
        return series

    def start_at_zero(self, metric: Metric, **known: Iterable[str]) -> None:
        """Let every combination of known label values exist at 0, so that the first increment is seen by `rate()`.

        Values of labels that the catalog leaves open come from `known`.
        """
        values = [known.get(label.name, label.values) for label in metric.labels]
        for combination in itertools.product(*values):
            labels = dict(zip((label.name for label in metric.labels), combination, strict=True))
            self._zeros[metric.name, *combination] = (metric, labels)
            self.add(metric, 0, labels)

    def set(self, metric: Metric, value: float, labels: Mapping[str, str] = _NONE) -> None:
        """Set a gauge; it keeps the value until it is set again."""
        if not self._switches.metrics:
            return
        with _recording:
            bounded = self._bounds.of(metric, labels)
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
