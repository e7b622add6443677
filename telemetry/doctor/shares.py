"""The share of traces that is recorded: as it is set, and as it is found in the last hour.

Requests, updates and jobs are all counted; those of them whose trace is recorded are in the store. What the found share
tells of the true one is an interval: Wilson's, at 99.9%.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from telemetry import sampling
from telemetry.catalog import HTTP_REQUESTS, TELEGRAM_JOBS, TELEGRAM_MESSAGES
from telemetry.doctor.findings import BROKEN, LOOK, OFF, OK, Finding
from telemetry.entry import REASON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.backends import Jaeger, Prometheus
    from telemetry.settings import Settings
    from telemetry.stored_traces import Trace

__all__ = ["Share", "configured", "examine", "found", "interval", "wilson"]

_WINDOW_SECONDS = 3600.0
_TRACES = 500
"""The newest; if there are more, the time is shorter."""
_FEW = 30
_Z = 3.29
_EXPORT_SECONDS = 30.0
"""How old the newest number of a counter may be."""


@dataclass(frozen=True)
class Share:
    """Of so many beginnings so many were recorded, within so many seconds."""

    recorded: int
    beginnings: float
    seconds: float


def configured(settings: Settings) -> Iterator[Finding]:
    """Tell the share that is set, where nothing is recorded by it."""
    share = sampling.share(settings)
    if share == 0:
        cause = "OTEL_TRACES_SAMPLER" if settings.traces_sampler else "SENTRY_TRACES_SAMPLE_RATE"
        yield Finding("sampling", BROKEN, f"0% of traces are recorded, by {cause}; only failed and slow work leaves a "
                      "span", f"set {cause} to what you can pay, or unset it")  # fmt: skip


def found(jaeger: Jaeger, prometheus: Prometheus, settings: Settings) -> Share:
    """Count what the service did in this environment in the last hour, or in the shorter time of the newest traces."""
    now, service, environment = time.time(), settings.service_name, settings.environment
    tags = {"deployment.environment.name": environment}
    traces = jaeger.search(service, tags=tags, limit=_TRACES, lookback_seconds=_WINDOW_SECONDS)
    seconds = _WINDOW_SECONDS
    if len(traces) >= _TRACES:
        seconds = max(now - min(trace.spans[0].start for trace in traces), _EXPORT_SECONDS)
    names = (HTTP_REQUESTS, TELEGRAM_MESSAGES, TELEGRAM_JOBS)
    either = "|".join(metric.prometheus for metric in names)
    of = f"service_name={json.dumps(service)},deployment_environment_name={json.dumps(environment)}"
    series = f'{{__name__=~"{either}",{of}}}'
    window = f"{math.ceil(seconds)}s"
    latest = f"max_over_time({series}[{window}])"
    counted = prometheus.scalar(f"sum({latest} - (max_over_time({series}[1h] offset {window}) or 0 * {latest}))")
    return Share(sum(map(_is_recorded, traces)), counted, seconds)


def _is_recorded(trace: Trace) -> bool:
    """Tell whether a trace began as one of those that are counted, and was recorded because it was sampled."""
    roots = [root for root in trace.roots() if REASON not in root.attributes]
    return any(
        root.attributes.get("span.kind") == "server" or root.attributes.get("messaging.system") == "telegram"
        for root in roots
    )


def wilson(part: float, of: float, z: float) -> tuple[float, float]:
    """Return between which shares the true one lies, `z` standard deviations wide, where `part` of `of` were seen.

    https://www.itl.nist.gov/div898/handbook/prc/section2/prc241.htm
    """
    share = min(part / of, 1.0)
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2)) / (1 + z**2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def interval(share: Share) -> tuple[float, float]:
    """Return between what the true share lies, wider by what was not yet reported at the edges of the time."""
    low, high = wilson(share.recorded, share.beginnings, _Z)
    edge = min(share.recorded / share.beginnings, 1.0) * min(1.0, 2 * _EXPORT_SECONDS / share.seconds)
    return max(0.0, low - edge), min(1.0, high + edge)


def examine(settings: Settings, share: Share, numbers: dict[str, Any]) -> Iterator[Finding]:
    """Compare."""
    wanted = sampling.share(settings)
    numbers["sampling"] = {"configured": wanted, **asdict(share)}
    span = "the last hour" if share.seconds >= _WINDOW_SECONDS else f"the last {share.seconds / 60:.0f} min"
    if share.beginnings < _FEW:
        yield Finding("sampling", OFF, f"{wanted:.1%} is set; {share.beginnings:.0f} requests, updates and jobs in "
                      f"{span} are too few to compare ({_FEW})")  # fmt: skip
        return
    low, high = interval(share)
    numbers["sampling"] |= {"low": low, "high": high}
    text = (f"{wanted:.1%} is set; found {min(share.recorded / share.beginnings, 1):.1%} ({low:.1%} to {high:.1%}) of "
            f"{share.beginnings:,.0f} in {span}")  # fmt: skip
    if low <= wanted <= high:
        yield Finding("sampling", OK, text)
    else:
        yield Finding("sampling", LOOK, text, "if the processes have not another rate than this environment: "
                      "`make losses` tells where spans are lost")  # fmt: skip
