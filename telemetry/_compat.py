"""What is taken from another package's private parts, in one place; each with a link and a test."""

from __future__ import annotations

from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

__all__ = ["ProcessReader"]


class ProcessReader(PeriodicExportingMetricReader):
    """Collects in the process that made it and in no child of that process.

    The SDK's own would go on in a forked child with the numbers, and the locks, that it had in the parent.
    https://github.com/open-telemetry/opentelemetry-python/blob/v1.45.1/opentelemetry-sdk/src/opentelemetry/sdk/metrics/_internal/export/__init__.py#L484
    """

    def _at_fork_reinit(self) -> None:
        """Start no thread: the child has a reader of its own."""
