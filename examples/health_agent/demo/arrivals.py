"""What arrived in the backends, of this run only."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from telemetry.backends import Event, Jaeger, Prometheus, Sentry, Trace

from .traffic import Sent

__all__ = ["Arrived", "Backends", "Row", "compare", "look", "look_for_errors"]

SERVICE = "health-agent"
MAX_TRACES = 3000


@dataclass(frozen=True)
class Backends:
    """Where metrics, traces and errors are read back."""

    prometheus: Prometheus
    jaeger: Jaeger
    sentry: Sentry

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Backends":
        """Read the addresses that `python -m stack exec` gives; KeyError names one that is missing."""
        return cls(
            Prometheus(environment["TELEMETRY_PROMETHEUS_URL"]),
            Jaeger(environment["TELEMETRY_JAEGER_URL"]),
            Sentry(environment["TELEMETRY_SENTRY_URL"], environment["TELEMETRY_SENTRY_TOKEN"]),
        )


@dataclass
class Arrived:
    """What one look found."""

    http: Counter[tuple[str, ...]] = field(default_factory=Counter)
    updates: Counter[tuple[str, ...]] = field(default_factory=Counter)
    calls: Counter[tuple[str, ...]] = field(default_factory=Counter)
    tokens: Counter[tuple[str, ...]] = field(default_factory=Counter)
    traces: list[Trace] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def update_traces(self) -> list[Trace]:
        """Return the traces of Telegram updates, one a handled update."""
        return [trace for trace in self.traces if any(_is_handler(span.name) for span in trace.spans)]

    def request_traces(self) -> list[Trace]:
        """Return the traces that an HTTP request began."""
        return [trace for trace in self.traces if any("/api/" in root.name for root in trace.roots())]

    def reminder_traces(self) -> list[Trace]:
        """Return the traces of reminders that are linked to the update that asked for them."""
        asked = {trace.trace_id for trace in self.update_traces()}
        roots = ((trace, trace.roots()[0]) for trace in self.traces)
        return [trace for trace, root in roots if root.name == "reminders.send" and asked & set(root.links)]

    def judged_answers(self) -> int:
        """Return how many presses of a feedback button are linked to an answer's trace."""
        answered = {trace.trace_id for trace in self.update_traces()}
        presses = (span for trace in self.traces for span in trace.named("feedback"))
        return sum(bool(answered & set(press.links)) for press in presses)

    def photo_trace(self) -> Trace | None:
        """Return the trace of a photo that was analysed and stored without an error."""
        return next((trace for trace in self.traces if _is_good_photo(trace)), None)

    def failing_event(self) -> Event | None:
        """Return the event of /progress, whose defect is known; where there is none, any event of an update."""
        known = {trace.trace_id for trace in self.traces if trace.named("telegram.progress_command")}
        updates = {trace.trace_id for trace in self.update_traces()}
        choice = [event for event in self.events if event.trace_id in known]
        return next(iter([*choice, *(event for event in self.events if event.trace_id in updates)]), None)


def _is_handler(name: str) -> bool:
    return name.startswith("telegram.handle_") or (name.startswith("telegram.") and name.endswith("_command"))


def _is_good_photo(trace: Trace) -> bool:
    names = [span.name for span in trace.spans]
    stored = any(name.startswith("INSERT food_entries") for name in names)
    good = not any(span.error for span in trace.spans)
    return "telegram.handle_photo" in names and "vision.analyze_food" in names and stored and good


def look(backends: Backends, run: str, *, since: float) -> Arrived:
    """Ask for metrics and traces once. A backend that does not answer counts as empty."""
    arrived = Arrived()
    only = f'{{instance=~"demo-{run}-.*"}}'
    _try(lambda: arrived.http.update(_sums(backends, "http_requests_total" + only, "method", "endpoint", "status")))
    _try(lambda: arrived.updates.update(_sums(backends, "telegram_messages_total" + only, "message_type", "status")))
    _try(lambda: arrived.calls.update(_sums(backends, "external_api_calls_total" + only, "service", "status")))
    _try(lambda: arrived.tokens.update(_sums(backends, "agent_token_usage_total" + only, "model", "type")))
    _try(lambda: arrived.traces.extend(_traces(backends.jaeger, run, since)))
    return arrived


def look_for_errors(backends: Backends, arrived: Arrived) -> None:
    """Add the events that belong to the traces found; each event is a request, so this is for the end."""
    traces = {trace.trace_id for trace in arrived.traces}
    _try(lambda: arrived.events.extend(_events(backends.sentry, traces)))


def _try(read: Callable[[], object]) -> None:
    try:
        read()
    except httpx.HTTPError:
        return


def _sums(backends: Backends, series: str, *labels: str) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for sample in backends.prometheus.query(f"sum by ({', '.join(labels)}) ({series})"):
        found[tuple(sample.labels.get(label, "") for label in labels)] = round(sample.value)
    return +found  # series that stand at 0 from the start are nothing that arrived


def _traces(jaeger: Jaeger, run: str, since: float) -> list[Trace]:
    found: dict[str, Trace] = {}
    for name in ("bot", "api"):
        tags = {"service.instance.id": f"demo-{run}-{name}"}
        traces = jaeger.search(SERVICE, tags=tags, limit=MAX_TRACES, lookback_seconds=time.time() - since)
        found |= {trace.trace_id: trace for trace in traces}
    return list(found.values())


def _events(sentry: Sentry, traces: set[str]) -> list[Event]:
    events = (event for issue in sentry.issues() for event in sentry.events(issue.id))
    return [event for event in events if event.trace_id in traces]


@dataclass(frozen=True)
class Row:
    """One line of the comparison."""

    what: str
    where: str
    sent: int
    arrived: int

    @property
    def ok(self) -> bool:
        """Whether as many arrived as were sent."""
        return self.sent == self.arrived


def compare(sent: Sent, ledgers: "Ledgers", arrived: Arrived) -> list[Row]:
    """Put what was sent beside what arrived."""
    rows = [Row("HTTP requests", "Prometheus", sent.http.total(), arrived.http.total())]
    rows += _rows("  ", sent.http, arrived.http)
    rows.append(Row("Telegram updates", "Prometheus", sent.updates.total(), arrived.updates.total()))
    rows += _rows("  ", sent.updates, arrived.updates)
    known = {key: count for key, count in arrived.calls.items() if key[0] in ledgers.services}
    rows.append(Row("Calls to model and food APIs", "Prometheus", ledgers.calls.total(), sum(known.values())))
    rows += _rows("  ", ledgers.calls, known)
    rows.append(Row("Tokens", "Prometheus", ledgers.tokens.total(), arrived.tokens.total()))
    rows += _rows("  ", ledgers.tokens, arrived.tokens)
    rows.append(Row("Traces of updates", "Jaeger", sent.updates.total(), len(arrived.update_traces())))
    rows.append(Row("Traces of HTTP requests", "Jaeger", sent.http.total(), len(arrived.request_traces())))
    rows.append(Row("Reminders, linked to their update", "Jaeger", sent.reminders, len(arrived.reminder_traces())))
    rows.append(Row("Feedback, linked to its answer", "Jaeger", sent.judged, arrived.judged_answers()))
    rows.append(Row("Error events", "Sentry", sent.error_events, len(arrived.events)))
    return rows


def _rows(indent: str, sent: Mapping[Any, int], arrived: Mapping[Any, int]) -> list[Row]:
    keys = sorted(set(sent) | set(arrived))
    return [Row(indent + " ".join(key), "Prometheus", sent.get(key, 0), arrived.get(key, 0)) for key in keys]


@dataclass
class Ledgers:
    """What the local providers say they answered, in the metrics' own labels."""

    calls: Counter[tuple[str, ...]] = field(default_factory=Counter)
    tokens: Counter[tuple[str, ...]] = field(default_factory=Counter)
    services: set[str] = field(default_factory=set)

    def add(self, service: str, ledger: Mapping[str, Mapping[str, int]]) -> None:
        """Add one provider's ledger; tokens read from or written to a cache are input."""
        self.services.add(service)
        for status, count in ledger["calls"].items():
            self.calls[service, "success" if int(status) < _FIRST_ERROR else "error"] += count
        for key, count in ledger["tokens"].items():
            model, _, kind = key.partition("/")
            if kind in _TYPES:
                self.tokens[model, _TYPES[kind]] += count


_FIRST_ERROR = 400
_TYPES = {
    "input_tokens": "input",
    "cache_creation_input_tokens": "input",
    "cache_read_input_tokens": "input",
    "output_tokens": "output",
}
"""OpenAI's cached tokens are part of its input tokens already."""
