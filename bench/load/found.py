"""What the backends hold of a run, to be put beside what the load generator saw."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry import catalog
from telemetry.entry import REASON
from telemetry.losses import Hop, Losses

if TYPE_CHECKING:
    from bench.load.run import Run
    from telemetry.backends import Jaeger, Prometheus, Span, Trace

__all__ = ["Found", "look"]

SERVICE = "health-agent"
KEPT = ("spans", "metrics")
SERVER_ERROR = 500
WAIT_SECONDS = 60.0
LOOK_SECONDS = 3.0
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
Key = tuple[str, ...]


@dataclass
class Found:
    """One look. `roots` are the root spans of API requests, `updates` those of Telegram updates."""

    http: Counter[Key] = field(default_factory=Counter)
    messages: Counter[Key] = field(default_factory=Counter)
    latency: dict[str, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    traces: list[Trace] = field(default_factory=list)
    stored: int = 0
    """Spans of the run's processes in Jaeger."""
    hops: list[Hop] = field(default_factory=list)
    series: dict[str, int] = field(default_factory=dict)
    bytes_per_span: float = 0.0
    """As the Collector sends them to Jaeger, before compression; of all that it has sent."""

    @property
    def roots(self) -> list[Span]:
        """The root spans of API requests."""
        return [
            root for trace in self.traces for root in trace.roots() if "http.response.status_code" in root.attributes
        ]

    @property
    def sampled(self) -> list[Span]:
        """Those that were recorded by the sampler, not because they failed or were slow."""
        return [root for root in self.roots if REASON not in root.attributes]

    @property
    def failed(self) -> Counter[Key]:
        """Requests that left a root span with a server's error, by method, route and status."""
        keys = (_key(root) for root in self.roots)
        return Counter(key for key in keys if int(key[2]) >= SERVER_ERROR)

    @property
    def sampled_latency(self) -> dict[str, float]:
        """Percentiles of the recorded requests' times, in seconds."""
        times = sorted(root.duration for root in self.sampled)
        return {name: times[int(len(times) * share)] if times else 0.0 for name, share in SHARES.items()}

    @property
    def lost(self) -> dict[str, int]:
        """Spans and metric points that were dropped, are unaccounted for, or are not stored; not Sentry's."""
        lost = {f"{hop.signal}, {hop.hop}": count for hop in self.hops if hop.signal in KEPT and (count := _lost(hop))}
        created = sum(hop.took for hop in self.hops if (hop.signal, hop.hop) == ("spans", "application"))
        return lost | ({"spans, not in Jaeger": created - self.stored} if created > self.stored else {})


def _lost(hop: Hop) -> int:
    """Return what was dropped or is nowhere.

    What waits by the last report of a process that has ended is no loss: it was sent after it, and is looked for in
    Jaeger.
    """
    return sum(hop.dropped.values()) + abs(hop.unaccounted or 0) + bool(hop.waiting_bytes)


def _key(root: Span) -> Key:
    method, _, route = root.name.partition(" ")
    return method, route, str(root.attributes["http.response.status_code"])


def look(run: Run, prometheus: Prometheus, jaeger: Jaeger) -> Found:
    """Ask until all that was sent is there and nothing is on its way, for a minute at most."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = Found()
        found.http, found.messages = _counts(run, prometheus)
        found.hops = list(Losses(f"{time.time() - run.began:.0f}s", environment=run.environment).hops())
        complete = found.http == Counter(run.answers("on"))
        late = time.monotonic() > deadline
        if complete or late:
            _add_traces(found, run, jaeger)
        if late or (complete and not found.lost):
            break
        time.sleep(LOOK_SECONDS)
    _add_figures(found, run, prometheus)
    return found


def _add_traces(found: Found, run: Run, jaeger: Jaeger) -> None:
    instances = {run.instance(process) for process in ("api", "bot")}
    traces = (jaeger.between(SERVICE, run.began, run.ended, tags={"service.instance.id": name}) for name in instances)
    found.traces = list({trace.trace_id: trace for some in traces for trace in some}.values())
    spans = (span for trace in found.traces for span in trace.spans)
    found.stored = sum(span.attributes["service.instance.id"] in instances for span in spans)


def _counts(run: Run, prometheus: Prometheus) -> tuple[Counter[Key], Counter[Key]]:
    requests = f'sum by (method, endpoint, status) (http_requests_total{{instance="{run.instance("api")}"}})'
    messages = f'sum by (message_type, status) (telegram_messages_total{{instance="{run.instance("bot")}"}})'
    http = {(s.labels["method"], s.labels["endpoint"], s.labels["status"]): s for s in prometheus.query(requests)}
    updates = {(s.labels["message_type"], s.labels["status"]): s for s in prometheus.query(messages)}
    return tuple(+Counter({key: round(s.value) for key, s in of.items()}) for of in (http, updates))  # type: ignore[return-value]


def _add_figures(found: Found, run: Run, prometheus: Prometheus) -> None:
    api = f'{{instance="{run.instance("api")}"}}'
    buckets = f"sum by (le) ({catalog.HTTP_REQUEST_DURATION.prometheus}_bucket{api})"
    found.latency = {name: prometheus.scalar(f"histogram_quantile({q}, {buckets})") for name, q in SHARES.items()}
    cpu = f"{catalog.PROCESS_CPU_TIME.prometheus}{api}"
    window = f"{time.time() - run.began:.0f}s"
    found.cpu_seconds = prometheus.scalar(f"sum(max_over_time({cpu}[{window}]) - min_over_time({cpu}[{window}]))")
    size = 'sum(otelcol_exporter_queue_batch_send_size{}_sum{{exporter="otlp_http/jaeger"}})'
    found.bytes_per_span = prometheus.scalar(f"{size.format('_bytes')} / {size.format('')}")
    for process in ("api", "bot"):
        count = f'count({{instance="{run.instance(process)}"}})'
        found.series[process] = round(prometheus.scalar(count))
