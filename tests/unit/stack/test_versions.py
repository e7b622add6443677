"""What runs is listed whole, and what is not the locked version is told."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from stack import settings, versions
from stack.build.venv import lock_file

if TYPE_CHECKING:
    from collections.abc import Sequence

FOUND = versions.items(settings.load())
NAMES = [
    "otelcol",
    "prometheus",
    "jaeger",
    "process-compose",
    "otlpreceiver",
    "image grafana/grafana",
    "httpx",
    "bugsink",
]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_listed_with_the_version_it_should_have(name: str) -> None:
    (item, *_) = [item for item in FOUND if item.name == name]
    assert item.wanted
    assert item.held_by


def test_a_package_of_this_environment_is_the_locked_one() -> None:
    (item,) = [item for item in FOUND if item.name == "hypothesis"]
    assert item.version == item.wanted == version("hypothesis")


@pytest.mark.parametrize(
    ("here", "differs"), [("1.0", False), ("", False), ("1.1", True)], ids=["the same", "not here", "another"]
)
def test_another_version_is_told(here: str, *, differs: bool) -> None:
    items: Sequence[versions.Item] = [versions.Item("shop", here, "1.0", "shop.lock")]
    assert bool(versions.differing(list(items))) is differs


@pytest.mark.parametrize("name", ["bootstrap", "bugsink", "dev", "go"])
def test_every_locked_package_has_its_hashes(name: str) -> None:
    entries = lock_file(settings.load(), name).read_text(encoding="utf-8").replace("\\\n", "").splitlines()
    pinned = [entry for entry in entries if "==" in entry and not entry.lstrip().startswith("#")]
    assert pinned
    assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []
