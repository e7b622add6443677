"""What runs, in which version, and what holds it to that: programs with their binary's hash, packages by their lock.

Images are held by their tags in compose.yaml. What a Go program was built from stands in it: `go version -m BINARY`.
"""

from __future__ import annotations

import hashlib
import re
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from typing import TYPE_CHECKING

import yaml

from stack.build import venv
from stack.build.collector import collector_path
from stack.build.recipes import COLLECTOR_VERSION, RECIPES, binary_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stack.settings import Settings

__all__ = ["Item", "differing", "items", "lines"]

_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*])?==(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Item:
    """One thing that runs."""

    name: str
    version: str  # empty where it is not here
    wanted: str
    held_by: str
    sha256: str = ""


def items(settings: Settings) -> list[Item]:
    """Every program, image and package of the stack and of its applications."""
    return [*_programs(settings), *_modules(settings), *_images(settings), *_packages(settings)]


def differing(found: list[Item]) -> list[Item]:
    """Return what is here in another version than it should be."""
    return [item for item in found if item.version and item.version != item.wanted]


def lines(found: list[Item]) -> list[str]:
    """Name, version, hash and what holds it to that version, a line each."""
    return [f"{item.name:<40} {_shown(item):<20} {item.sha256[:16]:<16} {item.held_by}" for item in found]


def _shown(item: Item) -> str:
    if item.version in ("", item.wanted):
        return item.version or f"({item.wanted})"
    return f"{item.version}, not {item.wanted}"


def _programs(settings: Settings) -> Iterator[Item]:
    for recipe in RECIPES:
        path = binary_path(settings, recipe.name, recipe.version)
        yield _program(recipe.name, recipe.version, f"{recipe.module}@{recipe.version}", path)
    yield _program("otelcol", COLLECTOR_VERSION, "collector/builder.yaml", collector_path(settings))


def _program(name: str, wanted: str, held_by: str, path: Path) -> Item:
    there = path.is_file()
    return Item(name, wanted if there else "", wanted, held_by, _sha256(path) if there else "")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _modules(settings: Settings) -> Iterator[Item]:
    config = yaml.safe_load((settings.root / "collector" / "builder.yaml").read_text(encoding="utf-8"))
    components = [entry for entries in config.values() if isinstance(entries, list) for entry in entries]
    for module, tag in (entry["gomod"].split() for entry in components):
        yield Item(module.rsplit("/", 1)[1], tag, tag, module)


def _images(settings: Settings) -> Iterator[Item]:
    services = yaml.safe_load((settings.root / "compose.yaml").read_text(encoding="utf-8"))["services"]
    for image in sorted({service["image"] for service in services.values()}):
        name, _, tag = image.rpartition(":")
        yield Item(f"image {name}", tag, tag, "compose.yaml")


def _packages(settings: Settings) -> Iterator[Item]:
    bugsink = venv.venv_path(settings, "bugsink").glob("lib/python*/site-packages")
    for lock, path in (("dev", sys.path), ("bugsink", [str(folder) for folder in bugsink])):
        installed = {_normal(found.name): found.version for found in distributions(path=path)}
        for name, wanted in _PINNED.findall(venv.lock_file(settings, lock).read_text(encoding="utf-8")):
            yield Item(name, installed.get(_normal(name), ""), wanted, f"requirements/{lock}.lock")


def _normal(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()
