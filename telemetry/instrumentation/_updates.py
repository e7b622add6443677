"""One Telegram update or job under way, and what may be said of it."""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.conversation import conversation_scope
from telemetry.entry import Entry, Root

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    """An update or a job: its entry, its clock, how it went, and which of its handlers still run."""

    def __init__(self, root: Root, labels: dict[str, str]) -> None:
        """Start the clock, and a root span where the entry is sampled."""
        self.entry = Entry()
        self.entry.start(root)
        self._root, self._labels = root, labels
        self._status = "success"
        self._running = 1
        self._start = time.perf_counter()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Run the body in the root span, with nothing of what ran before in this task: no baggage, no conversation.

        Python-telegram-bot without concurrent updates runs all handlers in one task, and one context.
        """
        with self.entry, conversation_scope():
            yield

    def fail(self, error: BaseException) -> None:
        """Note that it did not go well; an error outweighs a cancellation."""
        status = status_of(error)
        if status == "error":
            self.entry.fail(type(error).__name__)
        if self._status != "error":
            self._status = status

    def enter(self) -> None:
        """One more handler runs."""
        self._running += 1

    def leave(self) -> None:
        """One handler, or the update itself, is done; the last one ends the span and records the metrics."""
        self._running -= 1
        if self._running == 0:
            with _finishing:
                self._finish(time.perf_counter() - self._start)

    def _finish(self, seconds: float) -> None:
        slow = seconds > current().settings.slow_update_seconds
        labels = self._labels | {"status": self._status}
        self.entry.end(lambda: self._root, lambda: self._record(labels, seconds), slow=slow)

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
