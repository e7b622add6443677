"""What runs where, as a table; and whether it all works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from rich.table import Table

from stack import compose, health, native, parts, probe, sentry

if TYPE_CHECKING:
    from stack.parts import Part
    from stack.settings import Settings
    from stack.state import State

__all__ = ["Row", "rows", "table"]

_COLOURS = {"up": "green", "down": "red", "wedged": "yellow"}


@dataclass(frozen=True)
class Row:
    """One part now."""

    part: Part
    state: str  # up, down or wedged
    why: str
    memory: int | None  # bytes


def rows(settings: Settings, running: State) -> list[Row]:
    """Ask every part of the running stack."""
    access = sentry.kept_access(settings)
    known = parts.all_parts(settings, sentry_token=access.token if access else "")
    memory = _native_memory(settings) if running.mode == "native" else {}
    services = compose.states(settings) if running.mode == "docker" else {}
    with probe.client() as http:
        failures = {name: probe.failure(http, known[name]) for name in running.parts}
    failures |= {name: "its container is not healthy" for name in running.parts if _unhealthy(services, name)}
    found = [Row(known[n], "down" if failures[n] else "up", failures[n], memory.get(n)) for n in running.parts]
    return [_with_pipeline(settings, row) if row.part.name == "collector" else row for row in found]


def _unhealthy(services: dict[str, str], name: str) -> bool:
    state = services.get(f"{name}-health", services.get(name))
    return bool(services) and state not in ("healthy", "running")


def _with_pipeline(settings: Settings, row: Row) -> Row:
    stuck = health.pipeline_trouble(settings) if row.state == "up" else []
    return Row(row.part, "wedged", "; ".join(stuck), row.memory) if stuck else row


def _native_memory(settings: Settings) -> dict[str, int]:
    found = {}
    for name, process in native.processes(settings).items():
        try:
            parent = psutil.Process(process["pid"])
            found[name] = sum(p.memory_info().rss for p in (parent, *parent.children(recursive=True)))
        except psutil.Error:
            continue
    return found


def table(settings: Settings, running: State, found: list[Row]) -> Table:
    """Part, address, state, version; and why, where something is wrong."""
    drawn = Table(title=f"Health agent stack ({running.mode})", title_justify="left")
    for column in ("part", "address", "state", "version"):
        drawn.add_column(column)
    drawn.add_column("memory", justify="right")
    for row in found:
        colour = _COLOURS[row.state]
        used = f"{row.memory / 1e6:.0f} MB" if row.memory else ""
        drawn.add_row(
            row.part.name,
            _address(settings, row.part),
            f"[{colour}]{row.state}[/]" + (f"\n{row.why}" if row.why else ""),
            row.part.version,
            used,
        )
    return drawn


def _address(settings: Settings, part: Part) -> str:
    if part.name == "collector":
        return f"OTLP {settings.url('OTLP_HTTP_PORT')}, gRPC 127.0.0.1:{settings.ports['OTLP_GRPC_PORT']}"
    return settings.url(part.port) if part.probes else f"127.0.0.1:{settings.ports[part.port]}"
