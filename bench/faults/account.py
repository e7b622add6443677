"""Acknowledged = stored + dropped by a stated reason: the account of one fault."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.faults.scene import Scene
    from bench.faults.stores import Found
    from bench.faults.watch import Watch

__all__ = ["DAMAGED", "GIVEN_UP", "REFUSED", "Account", "account"]

REFUSED, GIVEN_UP, DAMAGED = "refused", "given up", "damaged file"
_QUEUES = {"spans": "otlp_http/jaeger", "metric_points": "otlp_http/loop"}


@dataclass
class Account:
    """The items of one signal."""

    acknowledged: int
    stored: int
    missing: int
    twice: int
    dropped: dict[str, int] = field(default_factory=dict)
    """By reason, as the Collector counts it."""

    @property
    def unaccounted(self) -> int:
        """Items that are neither stored nor counted as dropped; below 0 where more was counted than is missing."""
        return self.missing - sum(self.dropped.values())


def account(scene: Scene, found: Found) -> dict[str, Account]:
    """Return the account of each signal; `found` is what the stores hold in the end."""
    lost = scene.lost_in_files
    spans = Account(scene.ledger.span_count, found.spans, found.missing_spans, found.spans_twice)
    samples = Account(scene.ledger.sample_count, found.samples, found.missing_samples, found.wrong_samples)
    spans.dropped = _dropped(scene.watch, "spans") | {DAMAGED: lost.missing_spans}
    samples.dropped = _dropped(scene.watch, "metric_points") | {DAMAGED: lost.missing_samples}
    return {"spans": spans, "samples": samples}


def _dropped(watch: Watch, what: str) -> dict[str, int]:
    """Return what the Collector says it will not send again; a shutdown puts back what it could not send."""
    name, exporter = f"otelcol_exporter_send_failed_{what}", _QUEUES[what]
    permanent = watch.total(name, exporter=exporter, error_permanent="true")
    shutdown = watch.total(name, exporter=exporter, error_type="Shutdown")
    return {REFUSED: permanent, GIVEN_UP: watch.total(name, exporter=exporter) - permanent - shutdown}
