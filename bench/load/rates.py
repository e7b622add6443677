"""What a request, an update and a minute cost in spans and series: the rates that `telemetry cost` reckons with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.entry import REASON

if TYPE_CHECKING:
    from bench.load.found import Found
    from bench.load.run import Run
    from telemetry.backends import Trace

__all__ = ["measured"]


def measured(run: Run, found: Found) -> dict[str, float]:
    """Return the mean number of spans of a recorded trace of each kind, and the series of each process."""
    whole = [trace for trace in found.traces if all(REASON not in root.attributes for root in trace.roots())]
    kinds: dict[str, list[int]] = {}
    for trace in whole:
        kinds.setdefault(_kind(trace), []).append(len(trace.spans))
    spans = {f"spans_per_{kind}": sum(sizes) / len(sizes) for kind, sizes in kinds.items()}
    series = {f"series_of_{process}": float(count) for process, count in found.series.items()}
    traces = {f"traces_of_{kind}": float(len(sizes)) for kind, sizes in kinds.items()}
    return spans | traces | series | {"bytes_per_span": found.bytes_per_span, "seconds": run.ended - run.began}


def _kind(trace: Trace) -> str:
    root = trace.roots()[0]
    if "http.response.status_code" in root.attributes:
        return "request"
    return "job" if root.name.startswith(("telegram.job", "reminders")) else "update"
