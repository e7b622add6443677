"""What belongs together beyond one trace: the turns of a chat, and what its user thought of an answer.

Every span of a chat's turns carries `gen_ai.conversation.id`, a hash of the chat; no metric does. A feedback button
carries the answer's trace and span id in its callback data, so that pressing it opens the right trace also a day or a
restart later.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor

from telemetry import catalog
from telemetry._runtime import current
from telemetry.entry import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

__all__ = [
    "ATTRIBUTE",
    "ConversationProcessor",
    "conversation_id",
    "conversation_scope",
    "feedback_data",
    "record_feedback",
    "set_conversation",
]

ATTRIBUTE = "gen_ai.conversation.id"
RATINGS = ("up", "down")
_FEEDBACK = re.compile(r"fb:(up|down):([0-9a-f]{32}):([0-9a-f]{16})")

_conversation: ContextVar[str | None] = ContextVar("telemetry_conversation", default=None)


def conversation_id(key: str) -> str:
    """Return the id that stands for a chat: a hash of `key` by `TELEMETRY_USER_KEY`, the same in every process."""
    return current().pseudonyms.conversation(key)


def set_conversation(key: str) -> None:
    """Say which conversation this request or update belongs to; spans from now on carry its id, not `key` itself."""
    found = conversation_id(key)
    _conversation.set(found)
    describe(ATTRIBUTE, found)


@contextmanager
def conversation_scope() -> Iterator[None]:
    """Start without a conversation, and leave the one of the body behind at its end."""
    token = _conversation.set(None)
    try:
        yield
    finally:
        _conversation.reset(token)


def feedback_data(rating: str) -> str:
    """Return callback data for a button that judges the answer of the current trace; `rating` is `up` or `down`.

    Under Telegram's limit of 64 bytes. Raises `ValueError` for another rating.
    """
    if rating not in RATINGS:
        raise ValueError(f'rating must be up or down (got "{rating}")')
    context = trace.get_current_span().get_span_context()
    return f"fb:{rating}:{trace.format_trace_id(context.trace_id)}:{trace.format_span_id(context.span_id)}"


def record_feedback(data: str | None) -> str | None:
    """Record a pressed feedback button from its callback data; returns the rating, None for any other button.

    Counts it in `telegram_feedback_total` and leaves a span `feedback` that links to the answer it judges.
    """
    match = _FEEDBACK.fullmatch(data or "")
    if match is None:
        return None
    rating, trace_id, span_id = match.groups()
    answer = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True)
    links = [trace.Link(answer)] if answer.is_valid else []
    current().tracer.start_span("feedback", links=links, attributes={"feedback.rating": rating}).end()
    current().instruments.add(catalog.TELEGRAM_FEEDBACK, 1, {"rating": rating})
    return rating


class ConversationProcessor(SpanProcessor):
    """Puts the conversation's id on each span that starts in it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set the attribute; what a library has set for itself gives way, so that one query finds all turns."""
        del parent_context
        if found := _conversation.get():
            span.set_attribute(ATTRIBUTE, found)
