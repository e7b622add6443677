"""Where trace context comes from and where it may go.

Out: W3C Trace Context, and only to hosts in `TELEMETRY_PROPAGATE_TO`. The global propagator injects nothing, so that no
instrumentation, ours or another's, sends a header to a third party by default; our HTTP instrumentation adds it by the
host's name, and takes away what others have set for any other. In: W3C Trace Context, and only from callers in
`TELEMETRY_TRUSTED_CALLERS`, so that no client forces sampling or chooses trace ids; baggage and trace state are neither
read nor sent.

Into a database and out again: `save_context` stores where a reminder came from, `resume_context` starts a new trace
that links to it.

Specification: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Setter, TextMapPropagator, default_getter, default_setter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from telemetry._current_entry import current_entry
from telemetry._runtime import current
from telemetry.context import capture_error
from telemetry.entry import Root, root_span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

    from opentelemetry.propagators.textmap import CarrierT, Getter

    from telemetry._parse import Network

__all__ = [
    "TRACE_HEADERS",
    "TrustedPropagator",
    "caller_of",
    "links_to",
    "may_see_trace",
    "names_of_host",
    "resume_context",
    "save_context",
    "set_trace_headers",
]

TRACE_HEADERS = frozenset({
    "baggage", "sentry-trace", "traceparent", "tracestate",
    "b3", "uber-trace-id", "x-amzn-trace-id", "x-b3-flags", "x-b3-parentspanid", "x-b3-sampled", "x-b3-spanid",
    "x-b3-traceid",
})  # fmt: skip
"""What W3C, Sentry and the older systems send a trace in."""
_PORTS = {"http": 80, "https": 443}
_w3c = TraceContextTextMapPropagator()


class TrustedPropagator(TextMapPropagator):
    """Believes what the entry has found to be believable, and gives nothing away."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Return the trusted caller's trace context; who that is was decided by `caller_of`."""
        del carrier, getter
        entry = current_entry.get()
        if entry is None or entry.caller is None:
            return context if context is not None else Context()
        return trace.set_span_in_context(trace.NonRecordingSpan(entry.caller), context)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write nothing: who may see a trace id is decided by host, in `set_trace_headers`."""

    @property
    def fields(self) -> set[str]:
        """The headers this propagator writes: none."""
        return set()


def caller_of(address: str | None, headers: Callable[[], Mapping[str, str]]) -> trace.SpanContext | None:
    """Return the span of a caller at this IP address, None where the caller is not trusted or sends none."""
    networks = current().settings.trusted_callers
    if not networks or not _within(address, networks):
        return None
    parent = {"traceparent": headers().get("traceparent", "")}  # the trace state would be read to be dropped
    found = trace.get_current_span(_w3c.extract(parent, Context())).get_span_context()
    return trace.SpanContext(found.trace_id, found.span_id, True, found.trace_flags) if found.is_valid else None


def _within(address: str | None, networks: tuple[Network, ...]) -> bool:
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    return any(found in network for network in networks)


def names_of_host(url: str) -> tuple[str, str]:
    """Return how the settings may name the host of an address: `HOST:PORT` and `HOST`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return f"{host}:{parts.port or _PORTS.get(parts.scheme)}", host


def may_see_trace(url: str) -> bool:
    """Tell whether the host of an address is on the allow-list; no for an address that cannot be read."""
    try:
        return not current().settings.propagate_to.isdisjoint(names_of_host(url))
    except ValueError:
        return False


def set_trace_headers(url: str, headers: MutableMapping[str, str], span: trace.Span) -> None:
    """Let a request carry the span's context if its host may see it, and else no trace header, whoever has set it."""
    if may_see_trace(url):
        _w3c.inject(headers, trace.set_span_in_context(span))
        return
    for name in [name for name in headers if name.lower() in TRACE_HEADERS]:
        del headers[name]


def save_context(span: trace.Span | None = None) -> dict[str, str]:
    """Return a trace context as text, to store with something that goes on later; empty outside a trace.

    It is the current span's, or that of `span`.
    """
    carrier: dict[str, str] = {}
    _w3c.inject(carrier, None if span is None else trace.set_span_in_context(span, Context()))
    return carrier


def links_to(carrier: Mapping[str, str] | None) -> list[trace.Link]:
    """Return a link to the span whose context was saved in `carrier`; none where it is empty or unreadable."""
    origin = trace.get_current_span(_w3c.extract(dict(carrier or {}), Context())).get_span_context()
    return [trace.Link(origin)] if origin.is_valid else []


@contextmanager
def resume_context(carrier: Mapping[str, str] | None, name: str) -> Iterator[trace.Span]:
    """Run the body in a new trace whose root span `name` links to the trace in which `carrier` was saved.

    An empty or unreadable carrier gives a trace without a link; nothing is raised. An exception that leaves the body is
    sent to Sentry in the new trace, and goes on.
    """
    with root_span(Root(name, links=links_to(carrier))) as span:
        try:
            yield span
        except Exception as error:
            capture_error(error)
            raise
