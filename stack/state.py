"""What the last `up` started, for the commands after it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = ["State", "forget", "load", "save", "with_running_ports"]

_FILE = "state.json"


@dataclass(frozen=True)
class State:
    """A started stack."""

    mode: str
    parts: tuple[str, ...]
    ports: dict[str, int]
    fingerprint: str  # of everything that would make a running stack differ from a new one


def load(settings: Settings) -> State | None:
    """The started stack, None if there is none or its file cannot be read."""
    try:
        kept = json.loads((settings.data / _FILE).read_text(encoding="utf-8"))
        return State(kept["mode"], tuple(kept["parts"]), dict(kept["ports"]), kept["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(settings: Settings, state: State) -> None:
    """Remember a started stack."""
    part = settings.data / f"{_FILE}.part"
    part.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
    part.replace(settings.data / _FILE)


def forget(settings: Settings) -> None:
    """The stack is stopped."""
    (settings.data / _FILE).unlink(missing_ok=True)


def with_running_ports(settings: Settings, state: State) -> Settings:
    """Settings as they were when the running stack was started."""
    return replace(settings, ports={**settings.ports, **state.ports})
