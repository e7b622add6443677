"""Errors that nobody handles, and errors in the log: how they reach Sentry, with the scope they arose in.

`sys.excepthook`, threads, tasks nobody awaits, `logger.error`. Sentry's own integrations for these build a whole event
before anything can be said about it (30 ms), lose the trace in threads, and give a lost task's error to whoever runs
when it is collected. A task is asked for its context then; a thread remembers the span and the scope it was started in,
for its errors only: the spans it starts stay roots, since it may outlive the request by hours.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import gc
import logging
import sys
from asyncio import BaseEventLoop, Task
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace
from sentry_sdk import get_isolation_scope
from sentry_sdk.scope import use_isolation_scope

from telemetry._current_entry import current_entry
from telemetry._guard import Guard
from telemetry._users import current_user, user_block
from telemetry.instrumentation._handle import Handle, patch_all

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator

    from telemetry.entry import Entry

    Report = Callable[[BaseException], object]
    Log = Callable[[logging.LogRecord], object]

__all__ = ["install", "linked"]

_NOBODYS_LOGGER = "asyncio"
"""Says what it finds while collecting garbage, in the context of whoever runs then."""
_QUIET_LOGGERS = frozenset(
    {"apscheduler", "httpcore", "httpx", "opentelemetry", "sentry_sdk", "telegram", "telemetry", "urllib3", "uvicorn"}
)
"""These and all below them repeat what is captured elsewhere, or would feed Sentry's own failures back into it."""

_carrying = Guard("carry a Sentry scope along")
_started_in: ContextVar[trace.SpanContext | None] = ContextVar("telemetry_started_in", default=None)
_started_by: ContextVar[Entry | None] = ContextVar("telemetry_started_by", default=None)


def install(report: Report, log: Log) -> Handle:
    """Give unhandled errors to `report` and records of level ERROR and above to `log`, until the handle is closed."""
    return Handle(
        _replace_excepthook(report),
        patch_all(
            (Thread, "start", _thread_wrapper(report)),
            (ThreadPoolExecutor, "submit", _wrap_submit),
            (BaseEventLoop, "call_exception_handler", _handler_wrapper(report)),
            (logging.Logger, "callHandlers", _log_wrapper(log)),
        ),
    )


@contextlib.contextmanager
def linked() -> Iterator[None]:
    """Make the span and the entry that started this thread current, where the thread has none of its own."""
    started_in = _started_in.get()
    if started_in is None or trace.get_current_span().get_span_context().is_valid:
        yield
        return
    token = current_entry.set(_started_by.get())
    try:
        with trace.use_span(trace.NonRecordingSpan(started_in)):
            yield
    finally:
        current_entry.reset(token)


class _Carried:
    """The scope, the user and the span a thread or a pool's job was started with."""

    def __init__(self) -> None:
        self._scope = get_isolation_scope().fork()
        self._user = current_user()
        span = trace.get_current_span().get_span_context()
        self._span = span if span.is_valid else _started_in.get()
        self._entry = current_entry.get() or _started_by.get()

    def run(self, function: Callable[..., Any], *args: object, **kwargs: object) -> Any:  # noqa: ANN401 - the function's
        span, entry = _started_in.set(self._span), _started_by.set(self._entry)
        try:
            with use_isolation_scope(self._scope), user_block(self._user):
                return function(*args, **kwargs)
        finally:
            _started_in.reset(span)
            _started_by.reset(entry)


def _replace_excepthook(report: Report) -> Callable[[], None]:
    before = sys.excepthook

    def excepthook(kind: type[BaseException], error: BaseException, traceback: Any) -> None:  # noqa: ANN401 - as Python's
        report(error)
        before(kind, error, traceback)

    sys.excepthook = excepthook

    def undo() -> None:
        if sys.excepthook is excepthook:
            sys.excepthook = before

    return undo


def _thread_wrapper(report: Report) -> Callable[..., Any]:
    def wrap(start: Callable[[Thread], None]) -> Callable[[Thread], None]:
        def start_carrying(thread: Thread) -> None:
            with _carrying:
                thread.run = _carried_run(thread, report)  # type: ignore[method-assign]
            start(thread)

        return start_carrying

    return wrap


def _carried_run(thread: Thread, report: Report) -> Callable[[], None]:
    carried, run = _Carried(), thread.run

    def run_reporting() -> None:
        try:
            run()
        except Exception as error:
            report(error)
            raise

    def run_carried() -> None:
        vars(thread).pop("run", None)  # else the thread would refer to itself
        carried.run(run_reporting)

    return run_carried


def _wrap_submit(submit: Callable[..., Any]) -> Callable[..., Any]:
    def submit_carrying(
        executor: ThreadPoolExecutor,
        function: Callable[..., Any],
        /,
        *args: Any,  # noqa: ANN401 - as Python's
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        with _carrying:
            function = functools.partial(_Carried().run, function)
        return submit(executor, function, *args, **kwargs)

    return submit_carrying


def _handler_wrapper(report: Report) -> Callable[..., Any]:
    def wrap(call_exception_handler: Callable[..., None]) -> Callable[..., None]:
        def call_reporting(loop: AbstractEventLoop, said: dict[str, Any]) -> None:
            error, future = said.get("exception"), said.get("future") or said.get("task")
            context = _context_of_task(future) if isinstance(future, Task) else None
            if isinstance(error, Exception) and context is not None:
                context.copy().run(report, error)
            call_exception_handler(loop, said)

        return call_reporting

    return wrap


def _context_of_task(task: Task[Any]) -> contextvars.Context | None:
    """Return the context a task runs in; Python 3.11's does not tell, but refers to it before any other."""
    if (get_context := getattr(task, "get_context", None)) is not None:
        return cast("contextvars.Context", get_context())
    return next((found for found in gc.get_referents(task) if isinstance(found, contextvars.Context)), None)


def _context_of(record: logging.LogRecord) -> contextvars.Context:
    return contextvars.Context() if record.name == _NOBODYS_LOGGER else contextvars.copy_context()


def _log_wrapper(log: Log) -> Callable[..., Any]:
    def wrap(call_handlers: Callable[..., None]) -> Callable[..., None]:
        def call_and_log(logger: logging.Logger, record: logging.LogRecord) -> None:
            try:
                call_handlers(logger, record)
            finally:
                if record.levelno >= logging.ERROR and record.name.partition(".")[0] not in _QUIET_LOGGERS:
                    _context_of(record).run(log, record)

        return call_and_log

    return wrap
