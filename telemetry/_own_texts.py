"""Which texts of errors and log lines are the program's own, and so hold nothing that a user wrote.

A text leaves if it stands as it is in the code that raised or logged it: `raise ValueError("no such plan")` does,
`raise ValueError(f"no food named {name}")` does not. Its place, its type and its stack tell the rest.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from telemetry.redaction import MARKER, clean_text

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator
    from types import CodeType, FrameType

__all__ = ["is_own", "log_text", "message_of", "messages_of"]

_MOST = 1000
_own: set[str] = set()
"""Messages that were found in code; no more of them than the program has."""

_LONGEST = 500
_FRAMES = 16
_MOST_ERRORS = 20


def message_of(error: BaseException) -> str:
    """Return what an error says if the program's code says so, the marker if it may say what a user wrote.

    `TELEMETRY_EXCEPTION_MESSAGES` lets all messages leave in development, cleaned.
    """
    from telemetry._runtime import current  # noqa: PLC0415 - which needs this module

    text = _said(error)
    if any(text in code.co_consts for code in _codes(error)):
        if len(_own) < _MOST:
            _own.add(text)
        return clean_text(text)
    return clean_text(text[:_LONGEST]) if current().settings.exception_messages_leave else MARKER


def is_own(text: str) -> bool:
    """Tell whether this was found to be a message of the program's own."""
    return text in _own


def messages_of(error: BaseException | None) -> dict[str, str]:
    """Return what an error, its causes and its members say, and in which form each may leave."""
    return {_said(found): message_of(found) for found in _tree(error)}


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - of the application's own class
        return ""


def _tree(error: BaseException | None) -> Iterator[BaseException]:
    waiting, seen = [error] if error else [], set[int]()
    while waiting and len(seen) < _MOST_ERRORS:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [other for other in (found.__cause__, found.__context__) if other is not None]
        waiting += found.exceptions if isinstance(found, BaseExceptionGroup) else ()


def _codes(error: BaseException) -> Iterator[CodeType]:
    """Yield the code that raised the error, and that which made its text."""
    step = error.__traceback__
    while step is not None:
        if step.tb_next is None:
            yield step.tb_frame.f_code
        step = step.tb_next
    made_by = getattr(type(error).__init__, "__code__", None)
    if made_by is not None:
        yield made_by


def log_text(record: logging.LogRecord) -> str:
    """Return a log line's text without its arguments, if the code that logs has it so; else the marker.

    To be called while the line is being logged.
    """
    text, frame = str(record.msg), sys._getframe(1)  # noqa: SLF001 - what `inspect` uses
    code = _code_of(frame, record)
    return clean_text(text) if code is not None and text in code.co_consts else MARKER


def _code_of(frame: FrameType | None, record: logging.LogRecord) -> CodeType | None:
    for _ in range(_FRAMES):
        if frame is None:
            return None
        if frame.f_code.co_filename == record.pathname and frame.f_code.co_name == record.funcName:
            return frame.f_code
        frame = frame.f_back
    return None
