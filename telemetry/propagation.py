"""Where trace context comes from and where it may go.

Out: W3C Trace Context, and only to hosts in `TELEMETRY_PROPAGATE_TO`. The global propagator injects nothing, so that no
instrumentation, ours or another's, sends a header to a third party by default; our HTTP instrumentation asks for it by
name of the host. In: W3C Trace Context; baggage is neither read nor sent.

Into a database and out again: `save_context` stores where a reminder came from, `resume_context` starts a new trace
that links to it.

Specification: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Setter, TextMapPropagator, default_getter, default_setter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from telemetry._runtime import current

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping

    from opentelemetry.propagators.textmap import CarrierT, Getter

__all__ = ["TrustedPropagator", "inject_for", "links_to", "resume_context", "save_context"]

_w3c = TraceContextTextMapPropagator()


class TrustedPropagator(TextMapPropagator):
    """Reads W3C Trace Context from callers and gives none away."""

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        """Read the caller's trace context."""
        return _w3c.extract(carrier, context, getter)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write nothing: who may see a trace id is decided by host, in `inject_for`."""

    @property
    def fields(self) -> set[str]:
        """The headers this propagator writes: none."""
        return set()


def inject_for(host: str, headers: MutableMapping[str, str]) -> None:
    """Add the trace headers to a request if its host (`HOST` or `HOST:PORT`) is on the allow-list."""
    if host in current().settings.propagate_to or host.partition(":")[0] in current().settings.propagate_to:
        _w3c.inject(headers)


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

    An empty or unreadable carrier gives a trace without a link; nothing is raised.
    """
    with current().tracer.start_as_current_span(name, context=Context(), links=links_to(carrier)) as span:
        yield span
