"""One build at a time, and nothing half-made under a final name."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stack.build.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["lock"]


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the file's lock; another process that wants it waits. The kernel frees it however we end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another process that holds {path.name} ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
