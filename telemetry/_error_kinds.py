"""The ways in which an error reaches Sentry, each made to happen once: what the command `sentry-test` goes through.

Each raises on a line of its own, since errors of one type and line are of one kind.
"""

# ruff: noqa: TRY301
from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry._extras import require
from telemetry.context import record_error, user_context

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BLOCK_USER", "KINDS", "USER", "ErrorKind", "SentryTestError"]

USER, BLOCK_USER = "sentry-test", "sentry-test-block"
STORM = 20
_logger = logging.getLogger("application")


class SentryTestError(Exception):
    """The error that `sentry-test` raises."""

    def __init__(self) -> None:
        """Say that nothing is wrong."""
        super().__init__("raised by `python -m telemetry sentry-test`; nothing is wrong")


@dataclass(frozen=True)
class ErrorKind:
    """One way: how the error comes about, how many events there should be, and whose they are."""

    name: str
    trigger: Callable[[], object]
    events: int = 1
    user: str = USER


def _caught(fail: Callable[[], object]) -> BaseException:
    try:
        fail()
    except Exception as error:  # noqa: BLE001 - whatever the case raises
        return error
    raise AssertionError(fail)


def _handled() -> None:
    try:
        raise SentryTestError
    except SentryTestError as error:
        record_error(error)


def _unhandled() -> None:
    try:
        raise SentryTestError
    except SentryTestError:
        sys.excepthook(*sys.exc_info())


def _in_a_thread() -> None:
    def fail() -> None:
        raise SentryTestError

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def _in_a_task() -> None:
    async def fail() -> None:
        raise SentryTestError

    async def forget() -> None:
        task = asyncio.create_task(fail())
        await asyncio.sleep(0.01)
        del task
        gc.collect()

    asyncio.run(forget())


def _with_a_cause() -> None:
    def fail() -> None:
        try:
            raise SentryTestError
        except SentryTestError as error:
            raise RuntimeError("what it led to") from error

    record_error(_caught(fail))


def _a_group() -> None:
    def fail() -> None:
        raise ExceptionGroup("several at once", [ValueError("one"), KeyError("two")])

    record_error(_caught(fail))


def _leaving_a_users_block() -> None:
    def fail() -> None:
        with user_context(BLOCK_USER):
            raise SentryTestError

    record_error(_caught(fail))


def _logged_with_exception() -> None:
    try:
        raise SentryTestError
    except SentryTestError:
        _logger.exception("logged by sentry-test; nothing is wrong")


def _logged_and_recorded() -> None:
    try:
        raise SentryTestError
    except SentryTestError as error:
        record_error(error)
        _logger.exception("logged by sentry-test; nothing is wrong")


def _storm() -> None:
    def fail() -> None:
        raise SentryTestError

    for _ in range(STORM):
        record_error(_caught(fail))


def _not_found() -> Exception:
    error: Exception = require("starlette.exceptions", feature="this case", extra="fastapi").HTTPException(404)
    return error


KINDS = (
    ErrorKind("handled", _handled),
    ErrorKind("unhandled", _unhandled),
    ErrorKind("in a thread", _in_a_thread),
    ErrorKind("in a forgotten task", _in_a_task),
    ErrorKind("with a cause", _with_a_cause),
    ErrorKind("an exception group", _a_group),
    ErrorKind("leaving a user's block", _leaving_a_users_block, user=BLOCK_USER),
    ErrorKind("logged", lambda: _logger.error("logged by sentry-test; nothing is wrong")),
    ErrorKind("logged with exception", _logged_with_exception),
    ErrorKind("recorded and logged", _logged_and_recorded),
    ErrorKind(f"{STORM} of a kind", _storm),
    ErrorKind("logged as a warning", lambda: _logger.warning("logged by sentry-test"), events=0),
    ErrorKind("a 404", lambda: record_error(_not_found()), events=0),
    ErrorKind("a group of 404s", lambda: record_error(ExceptionGroup("", [_not_found(), _not_found()])), events=0),
)
