"""What may become an event, and in which form it leaves: faults of the service only, cleaned, with their user.

Cleaning fails closed: an event that cannot be cleaned is reduced to what holds no value of the application's.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any, Literal

from telemetry import _clean_events, _error_marks, links, redaction
from telemetry._error_marks import Captured
from telemetry._error_window import causes
from telemetry._guard import Guard
from telemetry._own_texts import messages_of
from telemetry._users import current_user

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.settings import Settings

    Event = dict[str, Any]
    Hint = Mapping[str, Any]

__all__ = ["before_breadcrumb", "before_send", "is_fault", "link_to_explore", "reduced"]

_SERVER_ERROR = 500
_NO_FAULTS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)
_HARMLESS = ("event_id", "timestamp", "level", "platform", "release", "environment", "sdk", "logger")
_cleaning = Guard("clean what goes to Sentry")


def is_fault(error: BaseException) -> bool:
    """Tell whether an error is a fault of the service: no `HTTPException` below 500, no group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_fault(member) for member in error.exceptions)
    starlette = sys.modules.get("starlette.exceptions")
    if starlette is not None and isinstance(error, starlette.HTTPException):
        return bool(error.status_code >= _SERVER_ERROR)
    return not isinstance(error, _NO_FAULTS)


def before_send(event: Event, hint: Hint) -> Event | None:
    """Drop what is no fault or was sent before, name the user, clean the rest."""
    error = (hint.get("exc_info") or (None, None, None))[1]
    if error is not None and not _wanted(error, event["event_id"]):
        return None
    if user := _user_of(error) or current_user():
        event["user"] = user
    with _cleaning:
        return _clean_events.clean_event(event, messages_of(error))
    return reduced(event)


def link_to_explore(event: Event, settings: Settings) -> Event:
    """Add the address of the event's trace in Grafana's Explore, where the settings know Grafana."""
    trace_id = event.get("contexts", {}).get("trace", {}).get("trace_id")
    if settings.grafana_url and trace_id:
        source: Literal["tempo", "jaeger"] = "tempo" if settings.tempo_url else "jaeger"
        url = links.explore(settings.grafana_url, links.trace(trace_id, source), source=source, at=time.time())
        event["contexts"]["explore"] = {"url": url}
    return event


def before_breadcrumb(crumb: Event, _hint: Hint) -> Event | None:
    """Clean a breadcrumb; one that cannot be cleaned is dropped."""
    with _cleaning:
        return _clean_events.clean_breadcrumb(crumb)
    return None


def reduced(event: Event) -> Event:
    """Return what is safe of an event, whatever stands in the rest: the errors' types, the trace, the release."""
    safe = {key: event[key] for key in _HARMLESS if key in event}
    trace = event.get("contexts", {}).get("trace", {})
    safe["contexts"] = {"trace": {key: trace[key] for key in ("trace_id", "span_id") if key in trace}}
    values = event.get("exception", {}).get("values", [])
    safe["exception"] = {"values": [{"type": value.get("type"), "value": redaction.MARKER} for value in values]}
    return safe


def _wanted(error: BaseException, event_id: str) -> bool:
    """Tell whether this event shows an error that no other one shows, and remember that this one does."""
    if not is_fault(error):
        return False
    if _error_marks.is_captured(error):
        shown = _error_marks.captured(error)
        return shown is not None and shown.event_id == event_id
    _error_marks.set_captured(error, Captured(event_id))
    return True


def _user_of(error: BaseException | None) -> dict[str, str] | None:
    found = (_error_marks.user(cause) for cause in causes(error)) if error is not None else ()
    return next((user for user in found if user), None)
