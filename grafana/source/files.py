"""The files that are written from the Python here, and whether those on disk are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.source import alert_files, catalog_document, rules
from grafana.source.boards import BOARDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["drift", "rendered", "write"]

_DASHBOARDS = "grafana/dashboards"
_RULES = "collector/prometheus/rules/recorded.yml"
_CATALOG = "docs/METRICS_CATALOG.md"
_COMMANDS = {_CATALOG: "make catalog"}
"""What writes a file, where it is not `make dashboards`, which writes them all."""


def rendered() -> dict[str, str]:
    """Render each file's text, by its path in the repository."""
    dashboards = {f"{_DASHBOARDS}/{board.uid}.json": board.to_json() for board in BOARDS}
    return dashboards | {_RULES: rules.to_yaml(), _CATALOG: catalog_document.markdown()} | alert_files.rendered()


def write(root: Path) -> None:
    """Write the files, and delete dashboards that no Python stands for any more."""
    wanted = rendered()
    for path in _left_over(root, wanted):
        (root / path).unlink()
    for path, text in wanted.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def drift(root: Path) -> list[str]:
    """Name the files that are not what `write` would write."""
    wanted = rendered()
    old = [path for path, text in wanted.items() if not (root / path).is_file() or _read(root / path) != text]
    return [
        f"{path} is not up to date: run `{_COMMANDS.get(path, 'make dashboards')}`."
        for path in [*old, *_left_over(root, wanted)]
    ]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _left_over(root: Path, wanted: Mapping[str, str]) -> list[str]:
    found = [f"{_DASHBOARDS}/{path.name}" for path in (root / _DASHBOARDS).glob("*.json")]
    return sorted(path for path in found if path not in wanted)
