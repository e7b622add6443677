"""The one place that keeps our own mistakes out of the application: caught, counted, logged once a site."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

from telemetry._extras import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Guard", "failures", "set_strict", "start_or_do_without"]

Part = TypeVar("Part")

_logger = logging.getLogger("telemetry")
_strict = False
failures: dict[str, int] = {}
"""How often our code failed, by site."""


def set_strict(strict: bool) -> None:
    """Let failures of ours raise (tests) instead of being logged (everything else)."""
    global _strict  # noqa: PLW0603 - one switch a process
    _strict = strict


class Guard:
    """A context manager around our own code in the application's path; one per site, shared, without state of a call.

    It swallows `Exception` only: cancellation, `KeyboardInterrupt` and `SystemExit` are not ours to keep.
    """

    __slots__ = ("_site",)

    def __init__(self, site: str) -> None:
        """Guard the code named by `site`, a short phrase such as "finish a query"."""
        self._site = site

    def caught(self, error: Exception) -> None:
        """Do as the block does, where a `try` is cheaper: `except Exception as error: guard.caught(error)`."""
        if not self.__exit__(type(error), error, error.__traceback__):
            raise error

    def __enter__(self) -> None:
        """Start guarding."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Swallow, count and once log an `Exception`."""
        if error is None or not isinstance(error, Exception):
            return False
        failures[self._site] = failures.get(self._site, 0) + 1
        if failures[self._site] == 1:
            _logger.error("telemetry failed to %s; the application is not affected, this is logged once", self._site,
                          exc_info=error)  # fmt: skip
        return not _strict


def start_or_do_without(start: Callable[[], Part], otherwise: Callable[[], Part]) -> Part:
    """Start a part of the set-up; where that fails, say so, and take what stands for its absence.

    A missing package is one line that names the command; with strict failures both raise.
    """
    try:
        return start()
    except MissingExtraError as error:
        if _strict:
            raise
        _logger.error("%s; going on without", error)  # noqa: TRY400 - how it came about helps nobody
    except Exception:
        if _strict:
            raise
        _logger.exception("a part of telemetry did not start; the application goes on without it")
    return otherwise()
