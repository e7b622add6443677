"""Meters that make what the catalog has, and nothing else; what is refused is named once in the log.

What is recorded as it happens is added up in our own series; what is observed at each collection the SDK reads.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.metrics import Meter, NoOpMeter
from opentelemetry.sdk.metrics import MeterProvider

from telemetry import _instruments_api
from telemetry._compat import collect_also
from telemetry._series import SeriesStore
from telemetry.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.metrics import (
        CallbackT,
        Counter,
        Histogram,
        ObservableCounter,
        ObservableGauge,
        ObservableUpDownCounter,
        UpDownCounter,
        _Gauge,
    )
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes

__all__ = ["CatalogMeterProvider"]

_logger = logging.getLogger("telemetry")
_LIBRARIES = ("opentelemetry", "pydantic-ai")
"""Whose metrics ours replace: nobody needs to hear of theirs."""


class CatalogMeterProvider(MeterProvider):
    """The SDK's provider; its meters record the catalog's metrics only."""

    def __init__(
        self, readers: Sequence[MetricReader], resource: Resource, views: Sequence[View], *, exemplars: str
    ) -> None:
        """Record for `readers`; `exemplars` is a value of OTEL_METRICS_EXEMPLAR_FILTER."""
        super().__init__(readers, resource, shutdown_on_exit=False, views=views)
        self.store: SeriesStore = SeriesStore(exemplars)
        collect_also(self, readers, self.store.collect)

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Attributes = None
    ) -> Meter:
        """Return a meter."""
        return _CatalogMeter(super().get_meter(name, version, schema_url, attributes), name, self.store)


class _CatalogMeter(Meter):
    """Asks the real meter, or one that records nothing."""

    def __init__(self, real: Meter, scope: str, store: SeriesStore) -> None:
        super().__init__(scope)
        self.store: SeriesStore = store
        self._real, self._nothing = real, NoOpMeter(scope)
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

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        real = self._for(name)
        return real.create_counter(name, unit, description) if real is self._nothing else (
            _instruments_api.Counter(self.store, CATALOG[name])
        )  # fmt: skip

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        real = self._for(name)
        return real.create_up_down_counter(name, unit, description) if real is self._nothing else (
            _instruments_api.UpDownCounter(self.store, CATALOG[name])
        )  # fmt: skip

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        del explicit_bucket_boundaries_advisory  # the catalog has the buckets
        real = self._for(name)
        return real.create_histogram(name, unit, description) if real is self._nothing else (
            _instruments_api.Histogram(self.store, CATALOG[name])
        )  # fmt: skip

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> _Gauge:
        return self._for(name).create_gauge(name, unit, description)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        return self._for(name).create_observable_counter(name, callbacks, unit, description)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        return self._for(name).create_observable_up_down_counter(name, callbacks, unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        return self._for(name).create_observable_gauge(name, callbacks, unit, description)
