"""Metrics of the application's own: added to the catalog, then recorded as ours are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.catalog import CATALOG, register

if TYPE_CHECKING:
    from telemetry.catalog import Kind, Metric

__all__ = ["OwnMetric", "register_metric"]

_recording = Guard("record a metric of the application's own")


def register_metric(metric: Metric) -> OwnMetric:
    """Add a metric to the catalog, before or after `init`, and return what records it.

    Raises `ValueError` for a name, there or in Prometheus, that another metric has; the same metric may come twice.
    """
    if CATALOG.get(metric.name) != metric:
        register(metric)
    return OwnMetric(metric)


class OwnMetric:
    """Records one metric, with its labels by name; a wrong call is logged once and raises nothing."""

    def __init__(self, metric: Metric) -> None:
        """Record `metric`, which must be in the catalog."""
        self._metric = metric

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add to a counter, in the metric's unit."""
        with _recording:
            current().instruments.add(self._of("counter"), amount, labels)

    def record(self, value: float, **labels: str) -> None:
        """Record one value into a histogram, in the metric's unit."""
        with _recording:
            current().instruments.record(self._of("histogram"), value, labels)

    def set(self, value: float, **labels: str) -> None:
        """Set a gauge, in the metric's unit; it keeps the value until it is set again."""
        with _recording:
            current().instruments.set(self._of("gauge"), value, labels)

    def _of(self, kind: Kind) -> Metric:
        if self._metric.kind != kind:
            raise TypeError(f"{self._metric.name} is a {self._metric.kind} (got what a {kind} is recorded by)")
        return self._metric
