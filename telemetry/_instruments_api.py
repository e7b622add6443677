"""OpenTelemetry's synchronous instruments over our own series, for whoever records through a meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes

    from telemetry._series import SeriesStore
    from telemetry.catalog import Metric

__all__ = ["Counter", "Histogram", "UpDownCounter"]


class _OfStore:
    """Finds the series of a call's attributes; those that the catalog does not list are left out."""

    def __init__(self, store: SeriesStore, metric: Metric) -> None:
        """Record `metric` into `store`."""
        self._store, self._metric = store, metric

    def _labels(self, attributes: Attributes) -> tuple[str, ...]:
        given = attributes or {}
        return tuple(str(given.get(label.name, "")) for label in self._metric.labels)


class UpDownCounter(_OfStore, metrics.UpDownCounter):
    """As the API's."""

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add."""
        del context
        self._store.sum(self._metric, self._labels(attributes)).add(amount)


class Counter(_OfStore, metrics.Counter):
    """As the API's; a negative amount is no count and is left out."""

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add."""
        del context
        if amount >= 0:
            self._store.sum(self._metric, self._labels(attributes)).add(amount)


class Histogram(_OfStore, metrics.Histogram):
    """As the API's."""

    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Count a value."""
        del context
        self._store.histogram(self._metric, self._labels(attributes)).record(amount)
