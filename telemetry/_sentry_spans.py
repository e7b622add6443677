"""OpenTelemetry's spans as Sentry's transactions: Sentry's span processor, and what it says put right.

The processor holds its open spans in dicts without a lock and raises into whoever ends a span; hence the lock and the
guard. It knows the conventions of before 2023 and calls everything else by its name; hence `before_send_transaction`,
which gives each span Sentry's own words for what it is and how it went.

https://develop.sentry.dev/sdk/telemetry/traces/span-operations/
"""

from __future__ import annotations

import os
from threading import RLock
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import format_span_id
from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor
from sentry_sdk.tracing import get_span_status_from_http_code

from telemetry import _clean_events
from telemetry._clean_spans import clean_spans
from telemetry._guard import Guard
from telemetry.entry import REASON

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    Attributes = Mapping[str, Any]

__all__ = ["KIND", "LinkedSpanProcessor", "before_send_transaction", "operation"]

KIND = "span.kind"
_HTTP = {"http.request.method", "telegram.api.method"}
_MESSAGING = {"process": "queue.process", "receive": "queue.receive", "send": "queue.publish"}

_starting, _ending = Guard("start a Sentry span"), Guard("end a Sentry span")
_translating = Guard("translate a Sentry transaction")


class LinkedSpanProcessor(SpanProcessor):
    """Sentry's span processor behind a lock and a guard."""

    def __init__(self) -> None:
        """Take the processor, of which Sentry keeps one a process."""
        self._processor: Any = SentrySpanProcessor()
        self._unlock()
        os.register_at_fork(after_in_child=self._unlock)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Open Sentry's span."""
        with _starting, self._lock:
            self._processor.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Finish Sentry's span; the last one of a trace here sends the transaction."""
        with _ending, self._lock:
            if (open_span := self._processor.otel_span_map.get(format_span_id(span.context.span_id))) is not None:
                open_span.set_data(KIND, span.kind.name.lower())
            self._processor.on_end(*clean_spans([span]))

    def _unlock(self) -> None:
        """Make the lock anew: in a forked child the thread that held it is no more."""
        self._lock = RLock()


def before_send_transaction(event: dict[str, Any], _hint: object) -> dict[str, Any] | None:
    """Put operations and statuses right, and clean it; what cannot be cleaned is dropped.

    So is the root span that a trace leaves which was not sampled: Sentry has its error, and was to get no transaction.
    """
    with _translating:
        contexts = event["contexts"]
        attributes = contexts.get("otel", {}).get("attributes", {})
        if REASON in attributes:
            return None
        _put_right(contexts["trace"], attributes | contexts["trace"].get("data", {}))
        event["transaction_info"] = {"source": "route" if "http.route" in attributes else "task"}
        for span in event.get("spans", ()):
            _put_right(span, span.get("data", {}))
        return _clean_events.clean_event(event, {})
    return None


def _put_right(span: dict[str, Any], attributes: Attributes) -> None:
    span["op"] = operation(attributes)
    code = attributes.get("http.response.status_code")
    span["status"] = get_span_status_from_http_code(code) if code else span.get("status") or "ok"


def operation(attributes: Attributes) -> str:
    """Name what a span does, in Sentry's words, from its kind and its attributes in the stable conventions."""
    if generation := attributes.get("gen_ai.operation.name"):
        return f"gen_ai.{generation}"
    if "db.system.name" in attributes:
        return "db"
    if (kind := attributes.get(KIND)) in ("server", "client") and _HTTP & attributes.keys():
        return f"http.{kind}"
    if "messaging.system" in attributes:
        return _MESSAGING.get(attributes.get("messaging.operation.type", ""), "queue.task")
    return "function"
