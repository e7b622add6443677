"""What is taken from another package's private parts, in one place; each with a link and a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import (
    Metric,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.sdk.metrics import MeterProvider

__all__ = ["ProcessReader", "collect_also"]

_SCOPE = InstrumentationScope("telemetry")


class ProcessReader(PeriodicExportingMetricReader):
    """Collects in the process that made it and in no child of that process.

    The SDK's own would go on in a forked child with the numbers, and the locks, that it had in the parent.
    https://github.com/open-telemetry/opentelemetry-python/blob/v1.45.1/opentelemetry-sdk/src/opentelemetry/sdk/metrics/_internal/export/__init__.py#L484
    """

    def _at_fork_reinit(self) -> None:
        """Start no thread: the child has a reader of its own."""


def collect_also(provider: MeterProvider, readers: Iterable[MetricReader], more: Callable[[], list[Metric]]) -> None:
    """Let each reader of a provider collect what `more` returns beside what the SDK has.

    The specification has a metric producer for this, which the SDK for Python lacks.
    https://github.com/open-telemetry/opentelemetry-python/blob/v1.45.1/opentelemetry-sdk/src/opentelemetry/sdk/metrics/_internal/__init__.py#L482
    """

    def collect(reader: MetricReader, timeout_millis: float = 10_000) -> MetricsData | None:
        found = provider._measurement_consumer.collect(reader, timeout_millis)  # noqa: SLF001
        metrics = more()
        if not metrics:
            return found
        resource = provider._sdk_config.resource  # noqa: SLF001
        if found is None or not found.resource_metrics:
            return MetricsData([ResourceMetrics(resource, [ScopeMetrics(_SCOPE, metrics, "")], "")])
        (first,) = found.resource_metrics
        return MetricsData([ResourceMetrics(first.resource, _with(metrics, first.scope_metrics), first.schema_url)])

    for reader in readers:
        reader._set_collect_callback(collect)  # type: ignore[arg-type]  # noqa: SLF001


def _with(metrics: list[Metric], scopes: Sequence[ScopeMetrics]) -> list[ScopeMetrics]:
    """Put metrics to those of their scope: of two groups of one scope the encoder sends the second only."""
    same = [scope for scope in scopes if scope.scope == _SCOPE]
    others = [scope for scope in scopes if scope.scope != _SCOPE]
    observed = [metric for scope in same for metric in scope.metrics]
    return [*others, ScopeMetrics(_SCOPE, [*observed, *metrics], "")]
