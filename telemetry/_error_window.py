"""Storm control: the first error of each kind in a window is shown in full, the others are counted."""

from __future__ import annotations

import sysconfig
import time
import uuid
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

__all__ = ["Admission", "ErrorWindow", "causes", "kind_of"]

MAX_KINDS = 100
"""Kinds told apart in a window, and so the most events in one; the kinds past it share one."""

_MAX_CAUSES = 5
_MAX_LEAVES = 10
_STANDARD_LIBRARY = sysconfig.get_path("stdlib")


class Admission(NamedTuple):
    """What becomes of one error: the event that shows it, whether that is its own, and how many had none before it."""

    event_id: str
    full: bool
    suppressed: int


@dataclass
class _Kind:
    event_id: str
    until: float
    suppressed: int = 0


class ErrorWindow:
    """One full event a kind in each window of `seconds`; a table of bounded size, safe to use from threads."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has been seen yet."""
        self.seconds = seconds
        self._clock = clock
        self._kinds: dict[Hashable, _Kind] = {}
        self._lock = Lock()

    def admit(self, kind: Hashable) -> Admission:
        """Decide about one error; a full one gets a new event id, the others that of the full one before them."""
        with self._lock:
            now = self._clock()
            kind = self._place_for(kind, now)
            before = self._kinds.get(kind)
            if before is not None and now < before.until:
                before.suppressed += 1
                return Admission(before.event_id, full=False, suppressed=0)
            event_id = uuid.uuid4().hex
            self._kinds[kind] = _Kind(event_id, now + self.seconds)
            return Admission(event_id, full=True, suppressed=before.suppressed if before else 0)

    def _place_for(self, kind: Hashable, now: float) -> Hashable:
        """Return the kind, or the one that stands for all the others once the table is full."""
        if kind in self._kinds or len(self._kinds) < MAX_KINDS:
            return kind
        self._kinds = {known: found for known, found in self._kinds.items() if now < found.until}
        return kind if len(self._kinds) < MAX_KINDS else None


def kind_of(error: BaseException) -> Hashable:
    """Return what errors alike have in common: types and places of an error and its causes; of a group, its members'.

    A place is the line that raised, and the last line outside the libraries that led there.
    """
    if isinstance(error, BaseExceptionGroup):
        return (type(error), *(kind_of(member) for member in error.exceptions[:_MAX_LEAVES]))
    return tuple((type(cause), *_places(cause)) for cause in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what it was raised from or during, and so on, for a few steps."""
    found: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if found is None:
            return
        yield found
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)


def _places(error: BaseException) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    raised: tuple[str, int] | None = None
    ours: tuple[str, int] | None = None
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        raised = (code.co_filename, step.tb_lineno)
        ours = ours if _is_library(code.co_filename) else raised
        step = step.tb_next
    return raised, ours


@lru_cache(maxsize=10_000)
def _is_library(path: str) -> bool:
    return "site-packages" in path or "dist-packages" in path or path.startswith((_STANDARD_LIBRARY, "<frozen"))
