"""The native parts, built from source on first use and kept in the user's cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.build.collector import collector, gateway, gateway_manifest
from stack.build.compile import build
from stack.build.recipes import RECIPES
from stack.build.venv import ensure_venv

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

__all__ = ["binaries", "bugsink_venv", "gateway", "gateway_manifest"]


def binaries(settings: Settings) -> dict[str, Path]:
    """Every binary of the native mode by name; builds what the cache does not hold yet."""
    built = {recipe.name: build(settings, recipe) for recipe in RECIPES if not recipe.tool}
    return {**built, "otelcol": collector(settings)}


def bugsink_venv(settings: Settings) -> Path:
    """The folder of Bugsink's own virtual environment."""
    return ensure_venv(settings, "bugsink")
