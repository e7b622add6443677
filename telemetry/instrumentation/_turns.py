"""The thread through a conversation: each update's trace links to the one before of the same user.

The last turn's trace context is kept in `context.user_data`, under one key, and so survives restarts wherever the
application's persistence stores user data. Traces that are not recorded are not linked to: there is nothing to open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry._guard import Guard
from telemetry.propagation import links_to, save_context

if TYPE_CHECKING:
    from opentelemetry import trace
    from telegram.ext import Application

__all__ = ["KEY", "previous_turn", "remember_turn"]

KEY = "telemetry.turn"
TRACEPARENT = "traceparent"
_reading, _writing = Guard("read the last turn"), Guard("keep this turn")


def previous_turn(application: Application[Any, Any, Any, Any, Any, Any], update: object) -> list[trace.Link]:
    """Return a link to the user's last turn, none where it is not known."""
    with _reading:
        user = getattr(update, "effective_user", None)
        data = application.user_data.get(user.id) if user is not None else None
        if isinstance(data, dict) and KEY in data:
            return links_to({TRACEPARENT: data[KEY]})
    return []


def remember_turn(application: Application[Any, Any, Any, Any, Any, Any], update: object, span: trace.Span) -> None:
    """Keep this turn for the next one to link to."""
    with _writing:
        user = getattr(update, "effective_user", None)
        if user is None or not span.is_recording():
            return
        data = application.user_data[user.id]
        if isinstance(data, dict):
            data[KEY] = save_context(span)[TRACEPARENT]
