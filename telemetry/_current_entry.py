"""The entry whose code runs now; a module of its own, for metrics ask for it as well, and entries record metrics."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.entry import Entry

__all__ = ["current_entry"]

current_entry: ContextVar[Entry | None] = ContextVar("telemetry_entry", default=None)
