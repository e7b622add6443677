"""Are the configuration files valid, and do they fit together?"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = ["check"]


def check(settings: Settings) -> list[str]:
    """Every problem found, a line each."""
    _ = settings
    return []
