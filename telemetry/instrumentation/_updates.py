"""One Telegram update or job under way, and what may be said of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.conversation import conversation_scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telegram.ext import BaseHandler

__all__ = [
    "JobWork",
    "Pending",
    "UpdateWork",
    "Work",
    "callbacks",
    "current_work",
    "function_name",
    "known_command",
    "message_type",
    "photo_size",
    "status_of",
]

current_work: ContextVar[Work | None] = ContextVar("telemetry_work", default=None)
"""The update or job whose code runs now."""

_finishing = Guard("finish an update")


class Work:
    """An update or a job: its root span, its clock, how it went, and which of its handlers still run."""

    def __init__(
        self, name: str, labels: dict[str, str], attributes: dict[str, str], links: Sequence[trace.Link] = ()
    ) -> None:
        """Start the clock and a root span of its own."""
        self.span: trace.Span = current().tracer.start_span(
            name, context=otel_context.Context(), kind=trace.SpanKind.CONSUMER, attributes=attributes, links=links
        )
        self._labels = labels
        self._status = "success"
        self._running = 1
        self._start = time.perf_counter()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Run the body in the span, with nothing of what ran before in this task: no baggage, no conversation.

        Python-telegram-bot without concurrent updates runs all handlers in one task, and one context.
        """
        token = otel_context.attach(trace.set_span_in_context(self.span, otel_context.Context()))
        try:
            with conversation_scope():
                yield
        finally:
            otel_context.detach(token)

    def fail(self, status: str = "error") -> None:
        """Note that it did not go well; an error outweighs a cancellation."""
        if self._status != "error":
            self._status = status

    def enter(self) -> None:
        """One more handler runs."""
        self._running += 1

    def leave(self) -> None:
        """One handler, or the update itself, is done; the last one ends the span and records the metrics."""
        self._running -= 1
        if self._running == 0:
            self._finish()

    def _finish(self) -> None:
        with _finishing, trace.use_span(self.span, end_on_exit=True):
            self._record(self._labels | {"status": self._status}, time.perf_counter() - self._start)

    def _record(self, labels: dict[str, str], seconds: float) -> None:
        raise NotImplementedError


class UpdateWork(Work):
    """An update: counted as a message, with the time it took."""

    def _record(self, labels: dict[str, str], seconds: float) -> None:
        current().instruments.add(catalog.TELEGRAM_MESSAGES, 1, labels)
        current().instruments.record(catalog.TELEGRAM_MESSAGE_DURATION, seconds, labels)


class JobWork(Work):
    """A run of a job."""

    def _record(self, labels: dict[str, str], seconds: float) -> None:
        del seconds
        current().instruments.add(catalog.TELEGRAM_JOBS, 1, labels)


class Pending:
    """A handler that was called and whose coroutine may run later, or never: it leaves its update exactly once."""

    def __init__(self, work: Work) -> None:
        """Enter the update."""
        self._work: Work | None = work
        work.enter()

    def done(self) -> None:
        """Leave the update."""
        if self._work is not None:
            work, self._work = self._work, None
            work.leave()

    def __del__(self) -> None:
        """Leave also where the coroutine was thrown away before it began."""
        self.done()


def status_of(error: BaseException) -> str:
    """Tell how something ended that raised this."""
    return "cancelled" if isinstance(error, asyncio.CancelledError) else "error"


def message_type(update: object) -> str:
    """Tell what kind of message an update carries: text, command, photo, voice or other."""
    message = getattr(update, "effective_message", None)
    if message is None or getattr(update, "callback_query", None) is not None:
        return catalog.OTHER
    for kind in ("photo", "voice"):
        if getattr(message, kind, None):
            return kind
    if not getattr(message, "text", None):
        return catalog.OTHER
    return "command" if any(e.type == "bot_command" and e.offset == 0 for e in message.entities) else "text"


def function_name(callback: Any) -> str:  # noqa: ANN401 - any callable
    """Return the name of the function a handler or a job calls."""
    function = getattr(callback, "func", callback)
    return getattr(function, "__name__", type(function).__name__)


def callbacks(handlers: Iterable[object]) -> Iterator[object]:
    """Yield the functions that handlers call, also those of a conversation's steps."""
    for handler in handlers:
        if hasattr(handler, "callback"):
            yield handler.callback
        else:
            steps = [step for state in getattr(handler, "states", {}).values() for step in state]
            yield from callbacks([*getattr(handler, "entry_points", ()), *steps, *getattr(handler, "fallbacks", ())])


def known_command(handler: BaseHandler[Any, Any, Any], update: object) -> str | None:
    """Return the command of an update if the handler has registered it; what users make up is no label."""
    commands = getattr(handler, "commands", None)
    text = getattr(getattr(update, "effective_message", None), "text", None)
    if not commands or not text:
        return None
    command = text.split(maxsplit=1)[0].lstrip("/").split("@")[0].lower()
    return command if command in commands else None


def photo_size(update: object) -> int | None:
    """Return the size of an update's largest photo in bytes."""
    photos = getattr(getattr(update, "effective_message", None), "photo", None)
    return photos[-1].file_size if photos else None
