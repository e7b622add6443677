"""What is remembered on an exception itself: that it was counted, which event shows it, whose it was.

An exception passes through many hands on its way out; each is told what the others have done with it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Captured", "captured", "first_count", "is_captured", "set_captured", "set_user", "user"]

_COUNTED, _CAPTURED, _USER = "_telemetry_counted", "_telemetry_captured", "_telemetry_user"


class Captured(NamedTuple):
    """The event that shows an error; `suppressed` when it is that of an earlier error of the same kind."""

    event_id: str
    suppressed: bool = False


def first_count(error: BaseException) -> bool:
    """Tell whether the error was not counted before, and remember it."""
    first = not getattr(error, _COUNTED, False)
    _remember(error, _COUNTED, value=True)
    return first


def is_captured(error: BaseException) -> bool:
    """Tell whether it was decided before what becomes of the error in Sentry."""
    return hasattr(error, _CAPTURED)


def captured(error: BaseException) -> Captured | None:
    """Return the event that shows the error, None where none does."""
    return getattr(error, _CAPTURED, None)


def set_captured(error: BaseException, event: Captured | None) -> None:
    """Remember the event that shows the error, or with None that none shall."""
    _remember(error, _CAPTURED, event)


def user(error: BaseException) -> dict[str, str] | None:
    """Return the user in whose block the error arose, None where there was no such block."""
    return getattr(error, _USER, None)


def set_user(error: BaseException, found: Mapping[str, str]) -> None:
    """Remember whose error it is; the innermost block knows best."""
    if user(error) is None:
        _remember(error, _USER, dict(found))


def _remember(error: BaseException, name: str, value: object) -> None:
    with contextlib.suppress(AttributeError):  # an exception that takes no attributes is reported each time
        setattr(error, name, value)
