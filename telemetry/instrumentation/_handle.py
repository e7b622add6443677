"""What an `instrument_*` call returns, and how a method of a library is replaced and put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Handle", "Patches"]


class Handle:
    """Undoes one instrumentation; may be closed twice, and used as a context manager."""

    def __init__(self, *undo: Callable[[], None]) -> None:
        """Remember what undoes the call, to be run in reverse order."""
        self._undo = list(undo)

    def close(self) -> None:
        """Undo."""
        while self._undo:
            self._undo.pop()()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Undo."""
        self.close()


class Patches:
    """Methods of a library, replaced while anybody needs it: the first user applies them, the last takes them back."""

    def __init__(self, targets: Callable[[], list[tuple[type, str, Callable[..., Any]]]]) -> None:
        """`targets` lists class, method name, and what makes the new method from the old one."""
        self._targets = targets
        self._users = 0
        self._originals: list[tuple[type, str, Any]] = []

    def acquire(self) -> Handle:
        """Apply the patches if nobody has yet; closing the handle takes back this use."""
        self._users += 1
        if self._users == 1:
            for owner, name, wrap in self._targets():
                original = owner.__dict__[name]
                self._originals.append((owner, name, original))
                setattr(owner, name, wrap(original))
        return Handle(self._release)

    def _release(self) -> None:
        self._users -= 1
        while self._users == 0 and self._originals:
            owner, name, original = self._originals.pop()
            setattr(owner, name, original)
