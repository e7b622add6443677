"""Meters that make what the catalog has, and nothing else; what is refused is named once in the log.

What is recorded as it happens is added up in our own series; what is observed at each collection the SDK reads. Whoever
records through them, the labels are the catalog's and stay within its bounds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.metrics import Meter, NoOpMeter, Observation
from opentelemetry.sdk.metrics import MeterProvider

from telemetry import _instruments_api
from telemetry._compat import collect_also
from telemetry._series import SeriesStore
from telemetry.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry import metrics
    from opentelemetry.metrics import CallbackOptions, CallbackT
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.resources import Resource
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

    def __init__(
        self,
        readers: Sequence[MetricReader],
        resource: Resource,
        views: Sequence[View],
        labels: Bounds,
        *,
        exemplars: str,
    ) -> None:
        """Record for `readers`; `exemplars` is a value of OTEL_METRICS_EXEMPLAR_FILTER."""
        super().__init__(readers, resource, shutdown_on_exit=False, views=views)
        self.labels: Bounds = labels
        self.store: SeriesStore = SeriesStore(exemplars)
        collect_also(self, readers, self.store.collect)

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Attributes = None
    ) -> Meter:
        """Return a meter."""
        real = super().get_meter(name, version, schema_url, attributes)
        return _CatalogMeter(real, name, self.store, self.labels)


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

    def __init__(self, real: Meter, scope: str, store: SeriesStore, labels: Bounds) -> None:
        super().__init__(scope)
        self.store: SeriesStore = store
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
        real = self._for(name)
        return real.create_counter(name, unit, description) if real is self._nothing else (
            _instruments_api.Counter(self.store, CATALOG[name], self._labels)
        )  # fmt: skip

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> metrics.UpDownCounter:
        real = self._for(name)
        return real.create_up_down_counter(name, unit, description) if real is self._nothing else (
            _instruments_api.UpDownCounter(self.store, CATALOG[name], self._labels)
        )  # fmt: skip

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> metrics.Histogram:
        del explicit_bucket_boundaries_advisory  # the catalog has the buckets
        real = self._for(name)
        return real.create_histogram(name, unit, description) if real is self._nothing else (
            _instruments_api.Histogram(self.store, CATALOG[name], self._labels)
        )  # fmt: skip

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> metrics._Gauge:
        real = self._for(name)
        gauge = real.create_gauge(name, unit, description)
        return gauge if real is self._nothing else _instruments_api.Gauge(gauge, CATALOG[name], self._labels)

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
