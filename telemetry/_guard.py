"""The one place that keeps our own mistakes out of the application: caught, counted, logged once a site."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Guard", "failures", "set_strict"]

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
