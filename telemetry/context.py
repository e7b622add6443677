"""What the application says about the request or update at hand: who, which, what happened before, what went wrong.

All of it is bound to the current request or update (a `contextvars` context), reaches the span and the Sentry event,
and is never a label of a metric.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from opentelemetry import trace

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.entry import current_entry, describe

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "add_breadcrumb",
    "capture_error",
    "count_error",
    "mark_reported",
    "record_error",
    "set_tag",
    "set_user_context",
]

_COUNTED, _CAPTURED = "_telemetry_counted", "_telemetry_captured"
EVENT_ID = "sentry.event_id"
_describing = Guard("describe the current request")


def set_user_context(user_id: str, username: str | None = None) -> None:
    """Name the user of this request or update on its span (`user.id`) and on its errors."""
    with _describing:
        describe("user.id", user_id)
        current().sentry.set_user({"id": user_id} | ({"username": username} if username else {}))


def set_tag(key: str, value: str) -> None:
    """Put a short searchable fact on the span (`tag.KEY`) and on the errors of this request or update."""
    with _describing:
        describe(f"tag.{key}", value)
        current().sentry.set_tag(key, value)


def add_breadcrumb(category: str, message: str, data: Mapping[str, object] | None = None) -> None:
    """Remember a step, to be shown with an error of this request or update."""
    with _describing:
        current().sentry.add_breadcrumb(category, message, data)


def record_error(error: BaseException, *, component: str = catalog.OTHER) -> str | None:
    """Report an error that the application handles itself: counted, on the span, sent to Sentry.

    `component` is where it arose: bot, api, database, agent, vision, reminders. Returns the Sentry event's id, None
    when none was sent. An error that leaves a handler is reported by the instrumentation, and once in any case.
    """
    count_error(error, component)
    return capture_error(error)


def count_error(error: BaseException, component: str) -> None:
    """Count an error in `errors_total`, unless that was done for this very exception before."""
    with _describing:
        if not _first_time(error, _COUNTED):
            return
        labels = {"error_type": type(error).__name__, "component": component}
        current().instruments.add(catalog.ERRORS, 1, labels)


def capture_error(error: BaseException) -> str | None:
    """Put an error on the current span and send it to Sentry, once; the span carries the event's id."""
    event_id: str | None = None
    with _describing:
        span = trace.get_current_span()
        if span.is_recording():
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, type(error).__name__)
        if _first_time(error, _CAPTURED):
            event_id = current().sentry.capture(error)
        entry = current_entry.get()
        if entry is not None:
            entry.fail(type(error).__name__)
        if event_id:
            span.set_attribute(EVENT_ID, event_id)
            if entry is not None:
                entry.note(EVENT_ID, event_id)
    return event_id


def mark_reported(error: BaseException) -> None:
    """Let nobody count or send this exception from now on."""
    _first_time(error, _COUNTED)
    _first_time(error, _CAPTURED)


def _first_time(error: BaseException, mark: str) -> bool:
    """Mark an exception and tell whether it lacked the mark; one that takes no attributes counts each time."""
    if getattr(error, mark, False):
        return False
    with contextlib.suppress(AttributeError):
        setattr(error, mark, True)
    return True
