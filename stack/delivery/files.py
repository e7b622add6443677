"""The files of what delivers alerts: written at each `up`, from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.build.progress import say
from stack.delivery import alertmanager, channels, grafana

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from stack.settings import Settings

__all__ = ["write", "written"]


def write(settings: Settings, parts: Collection[str]) -> None:
    """Write the files of those of these parts that deliver, and say what the channels lack."""
    found = channels.load(settings)
    if "alertmanager" in parts:
        alertmanager.write(settings, found)
    if "grafana" in parts:
        grafana.write(settings, found)
    if found.advice:
        say(found.advice)


def written(settings: Settings) -> Iterator[Path]:
    """Where `write` puts files."""
    yield alertmanager.alertmanager_file(settings)
    yield alertmanager.prometheus_file(settings)
    yield from (settings.data / "rules").glob("*")
    yield from grafana.provisioning_folder(settings).rglob("*")
