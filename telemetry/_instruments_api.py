"""OpenTelemetry's synchronous instruments for whoever records through a meter: over our own series, but for gauges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry import metrics

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes

    from telemetry._bounds import Bounds
    from telemetry._series import SeriesStore
    from telemetry.catalog import Metric

__all__ = ["Counter", "Gauge", "Histogram", "UpDownCounter"]


class _OfStore:
    """Finds the series of a call's attributes, within the bounds of the metric's labels."""

    def __init__(self, store: SeriesStore, metric: Metric, labels: Bounds) -> None:
        """Record `metric` into `store`."""
        self._store, self._metric, self._bounds = store, metric, labels

    def _labels(self, attributes: Attributes) -> tuple[str, ...]:
        return tuple(self._bounds.of_any(self._metric, attributes).values())


class Gauge(metrics._Gauge):  # noqa: SLF001 - the only name the API has for it
    """The SDK's own, which holds the last value, with labels within their bounds."""

    def __init__(self, real: metrics._Gauge, metric: Metric, labels: Bounds) -> None:
        """Set `real`."""
        self._real, self._metric, self._bounds = real, metric, labels

    def set(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Set it."""
        self._real.set(amount, self._bounds.of_any(self._metric, attributes), context)


class UpDownCounter(_OfStore, metrics.UpDownCounter):
    """As the API's."""

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add."""
        del context
        self._store.sum(self._metric, self._labels(attributes)).measure(amount)


class Counter(_OfStore, metrics.Counter):
    """As the API's; a negative amount is no count and is left out."""

    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add."""
        del context
        if amount >= 0:
            self._store.sum(self._metric, self._labels(attributes)).measure(amount)


class Histogram(_OfStore, metrics.Histogram):
    """As the API's."""

    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        """Count a value."""
        del context
        self._store.histogram(self._metric, self._labels(attributes)).measure(amount)
