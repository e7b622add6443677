"""What an `instrument_*` call returns, and how a method of a library is replaced and put back."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["Handle", "Shared", "patch", "patch_all"]


class Handle:
    """Undoes one instrumentation; may be closed twice, and used as a context manager."""

    def __init__(self, *undo: Callable[[], None]) -> None:
        """Remember what undoes the call, to be run in reverse order."""
        self._undo = list(undo)

    def close(self) -> None:
        """Undo the call that returned this, and no other; a second time nothing happens."""
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Undo."""
        self.close()


class Shared:
    """A change to a library that several may want: the first one makes it, the last one takes it back."""

    def __init__(self, start: Callable[[], Callable[[], None]]) -> None:
        """`start` makes the change and returns what takes it back."""
        self._start = start
        self._stop: Callable[[], None] | None = None
        self._users = 0

    def acquire(self) -> Handle:
        """Make the change if nobody has yet; closing the handle gives up this use of it."""
        if self._users == 0:
            self._stop = self._start()
        self._users += 1
        return Handle(self._release)

    def _release(self) -> None:
        self._users -= 1
        if self._users == 0 and self._stop is not None:
            self._stop()
            self._stop = None


def patch(
    owner: type | ModuleType, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[[], None]:
    """Replace a method, or a function that a module calls, by what `wrap` makes of it; returns what puts it back.

    Where somebody else has wrapped the method since, it stays: taking it out would take out theirs.
    """
    original = owner.__dict__[name]
    wrapped = functools.wraps(original)(wrap(original))
    setattr(owner, name, wrapped)

    def undo() -> None:
        if owner.__dict__.get(name) is wrapped:
            setattr(owner, name, original)

    return undo


def patch_all(*patches: tuple[type, str, Callable[..., Any]]) -> Callable[[], None]:
    """Apply `patch` to each class, method name and wrapper; returns what puts all of them back."""
    return Handle(*(patch(owner, name, wrap) for owner, name, wrap in patches)).close
