"""What the application says about the request or update at hand: who, which, what happened before, what went wrong.

All of it is bound to the current request or update (a `contextvars` context), reaches the span and the Sentry event,
and is never a label of a metric.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace

from telemetry import _error_marks, _users, catalog
from telemetry._current_entry import current_entry
from telemetry._error_window import causes
from telemetry._guard import Guard
from telemetry._own_texts import message_of
from telemetry._runtime import current
from telemetry.entry import Root, describe, root_span, stand_in

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from telemetry._error_marks import Captured

__all__ = [
    "add_breadcrumb",
    "capture_error",
    "count_error",
    "is_known",
    "mark_reported",
    "record_error",
    "report_logged",
    "report_unhandled",
    "set_tag",
    "set_user_context",
    "user_context",
]

EVENT_ID = "sentry.event_id"
_describing = Guard("describe the current request")


def set_user_context(user_id: str, username: str | None = None) -> None:
    """Name the user of this request or update on its span (`user.id`) and on its errors.

    By a pseudonym, where `TELEMETRY_USER_KEY` is set or outside development; `username` only with
    `TELEMETRY_USERNAMES`.
    In a block of `user_context` it is the block's user that changes.
    """
    with _describing:
        user = _user(user_id, username)
        describe(_users.ATTRIBUTE, user["id"])
        if not _users.replace_user(user):
            current().sentry.set_user(user)


@contextmanager
def user_context(user_id: str, username: str | None = None) -> Iterator[None]:
    """Run a block as a user's, in sync and async code: `with telemetry.user_context("7"): ...`.

    Its errors carry the user, also those that leave the block and are reported outside; so do (as `user.id`) the span
    that is current and the spans that start in the block, in its tasks too. At its end the user before is back; the
    current span then has its former `user.id`, and where it had none keeps this one: an attribute can't be taken back.
    """
    span = trace.get_current_span()
    before = (getattr(span, "attributes", None) or {}).get(_users.ATTRIBUTE)
    user = _user(user_id, username)
    describe(_users.ATTRIBUTE, user["id"])
    try:
        with _users.user_block(user):
            yield
    finally:
        if before is not None:
            span.set_attribute(_users.ATTRIBUTE, before)


def _user(user_id: str, username: str | None) -> _users.User:
    runtime = current()
    found = {"id": runtime.pseudonyms.user(user_id)}
    return {**found, "username": username} if username and runtime.settings.usernames else found


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

    `component` is where it arose: bot, api, database, agent, vision, reminders. Returns the id of the Sentry event that
    shows it, in a storm that of an earlier error of its kind; None where none does. An error that leaves a handler is
    reported by the instrumentation, and once in any case.
    """
    count_error(error, component)
    return capture_error(error)


def count_error(error: BaseException, component: str) -> None:
    """Count an error in `errors_total`, unless that was done for this very exception before."""
    with _describing:
        if _error_marks.first_count(error):
            labels = {"error_type": type(error).__name__, "component": component}
            current().instruments.add(catalog.ERRORS, 1, labels)


def capture_error(error: BaseException, *, handled: bool = True) -> str | None:
    """Put an error on the current span and send it to Sentry, once; the span carries the id of the event shown for it.

    `sentry.suppressed` on the span tells that this event is that of an earlier error of the same kind. Outside a trace
    the error begins one, so that what Sentry shows can be opened.
    """
    with _describing:
        if _error_marks.is_captured(error) and not trace.get_current_span().is_recording():
            event = _error_marks.captured(error)
            return event.event_id if event else None
        with _in_a_trace():
            return _capture(error, handled=handled)
    return None


@contextmanager
def _in_a_trace() -> Iterator[None]:
    """Run the body in the current trace, that which started the thread, or a new one."""
    with current().sentry.linked():
        if trace.get_current_span().get_span_context().is_valid:
            yield
        else:
            with root_span(Root("error")):
                yield


def _capture(error: BaseException, *, handled: bool) -> str | None:
    event = current().sentry.report(error, handled=handled)
    span, entry = trace.get_current_span(), current_entry.get()
    if entry is not None:
        entry.report(type(error).__name__)
    if event is not None:
        _link(event, type(error).__name__)
    if span.is_recording():
        _describe_error(span, error, event)
    return event.event_id if event else None


def report_unhandled(error: BaseException) -> None:
    """Report an error that nobody has handled and that left no request, update or job: of a thread, a lost task."""
    if not _error_marks.is_captured(error):
        count_error(error, catalog.OTHER)
        capture_error(error, handled=False)


def report_logged(record: logging.LogRecord) -> None:
    """Report a log record of level ERROR or above; the exception in it is counted as any other."""
    with _describing, _in_a_trace():
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not _error_marks.is_captured(error):
            count_error(error, catalog.OTHER)
        event, entry = current().sentry.log(record), current_entry.get()
        if event is not None:
            kind = record.name if error is None else type(error).__name__
            if entry is not None:
                entry.report(kind)
            _link(event, kind)


def _link(event: Captured, error_type: str) -> None:
    """Put the event's id where its trace is opened: on the current span and the root, else on a span of its own."""
    facts: dict[str, str | bool] = {EVENT_ID: event.event_id}
    if event.suppressed:
        facts["sentry.suppressed"] = True
    span, entry = trace.get_current_span(), current_entry.get()
    open_entry = entry if entry is not None and not entry.ended else None
    span.set_attributes(facts)
    if open_entry is not None:
        for key, value in facts.items():
            open_entry.note(key, value)
    if span.is_recording() or event.suppressed or not span.get_span_context().is_valid:
        return
    if open_entry is None or open_entry.sampled:
        stand_in(span.get_span_context(), error_type, facts)


def _describe_error(span: trace.Span, error: BaseException, event: Captured | None) -> None:
    span.set_status(trace.StatusCode.ERROR, type(error).__name__)
    message_of(error)  # so that it is known when the span is cleaned, where nothing but texts is left
    if event is None or not event.suppressed:
        span.record_exception(error)
        return
    # In a storm no stack: the event shows it, and to format it takes 1 ms.
    span.add_event("exception", {"exception.type": type(error).__qualname__, "exception.message": str(error)})


def is_known(error: BaseException) -> bool:
    """Tell whether an error, or what it was raised from, was reported before."""
    return any(_error_marks.is_captured(cause) for cause in causes(error))


def mark_reported(error: BaseException) -> None:
    """Let nobody count or send this exception from now on."""
    _error_marks.first_count(error)
    _error_marks.set_captured(error, None)
