"""Which traces are stored whole, which in part, which not at all."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx

from bench.faults.stores import spans_of
from bench.gateway.traffic import PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.gateway.traffic import Sent

__all__ = ["ABSENT", "HEAD", "SPLIT", "WHOLE", "Verdict", "line", "verdicts"]

WHOLE, SPLIT, ABSENT = "whole", "split", "absent"
_FORMAT = "{:<22}{:>8}{:>16}{:>8}{:>8}{:>10}{:>8}{:>8}"
HEAD = _FORMAT.format("phase", "traces", "error or slow", "whole", "absent", "the rest", "kept", "split")


class Verdict:
    """The traces that began in one phase."""

    def __init__(self, fates: Iterable[tuple[str, str]]) -> None:
        """Count pairs of a kind and what became of it."""
        self._counts = Counter(fates)

    def count(self, fate: str = "", *, plain: bool | None = None) -> int:
        """Return how many there are of this fate, or all; only plain ones, or only the others."""
        return sum(
            number
            for (kind, what), number in self._counts.items()
            if what.startswith(fate) and plain in (None, kind == PLAIN)
        )


def verdicts(sent: Mapping[str, Sent], jaeger: str) -> dict[str, Verdict]:
    """Look for each trace in the store; the verdicts by phase."""
    with httpx.Client(base_url=jaeger, trust_env=False, timeout=30) as client, ThreadPoolExecutor(4) as pool:
        stored = pool.map(lambda trace_id: spans_of(client, trace_id), sent)
        fates = [
            (trace.phase, trace.kind, _fate(trace, set(ids))) for trace, ids in zip(sent.values(), stored, strict=True)
        ]
    phases = dict.fromkeys(trace.phase for trace in sent.values())
    return {phase: Verdict((kind, fate) for of, kind, fate in fates if of == phase) for phase in phases}


def _fate(trace: Sent, stored: set[str]) -> str:
    if not stored:
        return ABSENT
    return WHOLE if trace.span_ids <= stored else SPLIT


def line(phase: str, verdict: Verdict) -> str:
    """Return a row of the table."""
    meant, rest = verdict.count(plain=False), verdict.count(plain=True)
    kept = rest - verdict.count(ABSENT, plain=True)
    numbers = [meant, verdict.count(WHOLE, plain=False), verdict.count(ABSENT, plain=False)]
    return _FORMAT.format(phase, verdict.count(), *numbers, rest, kept, verdict.count(SPLIT))
