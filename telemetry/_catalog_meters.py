"""Meters that make what the catalog has, and nothing else; what is refused is named once in the log.

Whoever records through them, the labels are the catalog's and stay within its bounds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics
from opentelemetry.metrics import Meter, NoOpMeter, Observation
from opentelemetry.sdk.metrics import MeterProvider

from telemetry.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, CallbackT
    from opentelemetry.util.types import Attributes

    from telemetry._bounds import Bounds
    from telemetry.catalog import Metric

    Ask = Callable[[CallbackOptions], Iterable[Observation]]

__all__ = ["OURS", "CatalogMeterProvider"]

OURS = "telemetry"
"""The name of the meter whose labels are within their bounds when they come."""

_logger = logging.getLogger("telemetry")
_LIBRARIES = ("opentelemetry", "pydantic-ai")
"""Whose metrics ours replace: nobody needs to hear of theirs."""


class CatalogMeterProvider(MeterProvider):
    """The SDK's provider; its meters record the catalog's metrics only."""

    labels: Bounds

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Attributes = None
    ) -> Meter:
        """Return a meter."""
        return _CatalogMeter(super().get_meter(name, version, schema_url, attributes), name, self.labels)


class _Within:
    """An instrument of the SDK's, and what keeps the labels it gets within their bounds."""

    def __init__(self, real: Any, metric: Metric, labels: Bounds) -> None:  # noqa: ANN401 - of any kind
        self._real, self._metric, self._labels = real, metric, labels


class _Counter(_Within, metrics.Counter):
    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._real.add(amount, self._labels.of_any(self._metric, attributes), context)


class _UpDownCounter(_Within, metrics.UpDownCounter):
    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._real.add(amount, self._labels.of_any(self._metric, attributes), context)


class _Histogram(_Within, metrics.Histogram):
    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._real.record(amount, self._labels.of_any(self._metric, attributes), context)


class _Gauge(_Within, metrics._Gauge):  # noqa: SLF001 - the only name the API has for it
    def set(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        self._real.set(amount, self._labels.of_any(self._metric, attributes), context)


def _as_function(callback: CallbackT) -> Ask:
    """Return what asks a callback, which may be a generator: it is sent the options and yields observations."""
    if callable(callback):
        return callback
    next(callback)

    def ask(options: CallbackOptions) -> Iterable[Observation]:
        try:
            return callback.send(options)
        except StopIteration:
            return ()

    return ask


class _CatalogMeter(Meter):
    """Asks the real meter, or one that records nothing."""

    def __init__(self, real: Meter, scope: str, labels: Bounds) -> None:
        super().__init__(scope)
        self._real, self._nothing, self._labels = real, NoOpMeter(scope), labels
        self._level = logging.DEBUG if scope.startswith(_LIBRARIES) else logging.WARNING
        self._refused: set[str] = set()

    def _for(self, name: str) -> Meter:
        if name in CATALOG:
            return self._real
        if name not in self._refused:
            self._refused.add(name)
            _logger.log(self._level, "The metric %s of %s is dropped: it is not in the catalog; "
                        "telemetry.register_metric adds it.", name, self._name)  # fmt: skip
        return self._nothing

    def _within(self, kind: Any, name: str, instrument: Any) -> Any:  # noqa: ANN401 - of any kind
        return kind(instrument, CATALOG[name], self._labels) if self._bounds(name) else instrument

    def _bounds(self, name: str) -> bool:
        return name in CATALOG and self._name != OURS

    def _asked(self, name: str, callbacks: Sequence[CallbackT] | None) -> Sequence[CallbackT] | None:
        if not self._bounds(name):
            return callbacks
        return [self._asked_within(CATALOG[name], _as_function(callback)) for callback in callbacks or ()]

    def _asked_within(self, metric: Metric, ask: Ask) -> CallbackT:
        def within(options: CallbackOptions) -> list[Observation]:
            sums: dict[tuple[tuple[str, str], ...], float] = {}
            for found in ask(options):  # what becomes one combination is added up: the SDK would keep the last
                key = tuple(self._labels.of_any(metric, found.attributes).items())
                sums[key] = sums.get(key, 0) + found.value
            return [Observation(value, dict(key)) for key, value in sums.items()]

        return within

    def create_counter(self, name: str, unit: str = "", description: str = "") -> metrics.Counter:
        made: metrics.Counter = self._within(_Counter, name, self._for(name).create_counter(name, unit, description))
        return made

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> metrics.UpDownCounter:
        real = self._for(name).create_up_down_counter(name, unit, description)
        made: metrics.UpDownCounter = self._within(_UpDownCounter, name, real)
        return made

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> metrics.Histogram:
        buckets = CATALOG[name].buckets if name in CATALOG else explicit_bucket_boundaries_advisory
        meter = self._for(name)
        real = meter.create_histogram(name, unit, description, explicit_bucket_boundaries_advisory=buckets)
        made: metrics.Histogram = self._within(_Histogram, name, real)
        return made

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> metrics._Gauge:
        made: metrics._Gauge = self._within(_Gauge, name, self._for(name).create_gauge(name, unit, description))
        return made

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableCounter:
        return self._for(name).create_observable_counter(name, self._asked(name, callbacks), unit, description)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableUpDownCounter:
        return self._for(name).create_observable_up_down_counter(name, self._asked(name, callbacks), unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableGauge:
        return self._for(name).create_observable_gauge(name, self._asked(name, callbacks), unit, description)
