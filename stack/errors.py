"""What the commands say when they cannot go on."""

from __future__ import annotations

__all__ = ["StackError"]


class StackError(Exception):
    """What failed, and what to do about it; shown to the user without a traceback."""

    def __init__(self, what: str, *, todo: str = "", detail: str = "") -> None:
        self.what = what
        self.todo = todo
        self.detail = detail
        super().__init__("\n".join(part for part in (what, detail, todo) if part))
