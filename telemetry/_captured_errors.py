"""Sentry's place in a test: what would be an event is one here, with its user, tags and breadcrumbs, and stays."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from telemetry._error_marks import Captured
from telemetry._sentry_events import before_breadcrumb, before_send, is_fault
from telemetry.sentry import Sentry, fields_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from telemetry.switches import Switches

__all__ = ["CapturedErrors"]


@dataclass
class _Scope:
    """What the application said of one request or update."""

    user: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    breadcrumbs: list[dict[str, Any]] = field(default_factory=list)


class CapturedErrors(Sentry):
    """Keeps the errors it is given, and of those that are faults of the service the events, cleaned as for Sentry."""

    def __init__(self, switches: Switches | None = None) -> None:
        """Begin with none; keep none while `switches` say so."""
        super().__init__(switches=switches)
        self.errors: list[BaseException] = []
        self.events: list[dict[str, Any]] = []
        self.user: dict[str, str] = {}
        self._outermost = _Scope()
        self._scope: ContextVar[_Scope] = ContextVar("telemetry_captured_scope", default=self._outermost)

    def capture(
        self, error: BaseException, *, handled: bool = True, record: Mapping[str, Any] | None = None
    ) -> Captured | None:
        """Keep an error; returns the event that shows it, None where it is no fault of the service."""
        if not is_fault(error) or not self._switches.sentry:
            return None
        self.errors.append(error)
        mechanism = {"type": "telemetry", "handled": handled}
        value = {"type": type(error).__name__, "value": str(error), "mechanism": mechanism}
        return self._keep({"exception": {"values": [value]}, **(record or {})}, error)

    def log(self, record: logging.LogRecord) -> Captured | None:
        """Keep an error that the application logged."""
        if not self._switches.sentry:
            return None
        error = record.exc_info[1] if record.exc_info else None
        fields = fields_of(record)
        return self._keep(fields, None) if error is None else self.report(error, record=fields)

    def _keep(self, event: dict[str, Any], error: BaseException | None) -> Captured | None:
        scope, span = self._scope.get(), trace.get_current_span().get_span_context()
        ids = {"trace_id": trace.format_trace_id(span.trace_id), "span_id": trace.format_span_id(span.span_id)}
        number = f"{len(self.events) + 1:032x}"
        said = {"user": dict(scope.user), "tags": dict(scope.tags), "breadcrumbs": {"values": list(scope.breadcrumbs)}}
        full = {"event_id": number, "level": "error", **event, **said, "contexts": {"trace": ids}}
        kept = before_send(full, {"exc_info": (type(error), error, None)})
        if kept is None:
            return None
        self.events.append(kept)
        return Captured(number)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """Open a scope for one request or update."""
        token = self._scope.set(_Scope())
        try:
            yield
        finally:
            self._scope.reset(token)

    def set_user(self, user: Mapping[str, str]) -> None:
        """Attach a user to the errors of the current scope."""
        self.user = self._scope.get().user = dict(user)

    def set_tag(self, key: str, value: str) -> None:
        """Attach a tag to the errors of the current scope."""
        self._scope.get().tags[key] = value

    def add_breadcrumb(self, category: str, message: str, data: Mapping[str, object] | None) -> None:
        """Remember a step for the errors of the current scope."""
        crumb = before_breadcrumb({"category": category, "message": message, "data": dict(data or {})}, {})
        if crumb is not None:
            self._scope.get().breadcrumbs.append(crumb)
