"""OpenTelemetry's spans for Sentry's span processor, in the form it understands.

The processor knows the conventions of before 2023, holds its open spans in dicts without a lock, and raises into
whoever ends a span; hence the view with renamed attributes, the lock and the guard.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor
from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor

from telemetry import redaction
from telemetry._guard import Guard

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

__all__ = ["LinkedSpanProcessor"]

_RENAMED = {
    "http.request.method": "http.method",
    "http.response.status_code": "http.status_code",
    "url.full": "http.url",
    "http.route": "http.target",
    "server.address": "net.peer.name",
    "db.system.name": "db.system",
    "db.query.summary": "db.statement",
}
"""From the stable conventions to those the processor reads."""

_starting, _ending = Guard("start a Sentry span"), Guard("end a Sentry span")


class LinkedSpanProcessor(SpanProcessor):
    """Sentry's span processor behind a lock, a guard and a translation."""

    def __init__(self) -> None:
        """Take the processor, of which Sentry keeps one a process."""
        self._processor: Any = SentrySpanProcessor()
        self._lock = RLock()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Open Sentry's span."""
        with _starting, self._lock:
            self._processor.on_start(_View(span), parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Finish Sentry's span; the last one of a trace here sends the transaction."""
        with _ending, self._lock:
            self._processor.on_end(_View(redaction.clean_span(span)))


class _View:
    """A span whose attributes carry the old names too."""

    def __init__(self, span: ReadableSpan) -> None:
        self._span = span
        attributes = span.attributes or {}
        self.attributes = dict(attributes) | {
            old: attributes[new] for new, old in _RENAMED.items() if new in attributes
        }

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the span has
        return getattr(self._span, name)
