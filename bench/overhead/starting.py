"""What a variant adds to the start of the application: processor time and memory at the moment it serves."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.overhead.measure import BARE

if TYPE_CHECKING:
    from bench.overhead.servers import Server

__all__ = ["starts_table"]


def starts_table(servers: dict[str, list[Server]]) -> str:
    """Return as text the medians of what each variant's servers took until they served."""
    figures = {name: _medians(found) for name, found in servers.items()}
    bare_cpu, bare_memory = figures[BARE]
    lines = ["start, until it serves", f"{'':28}{'CPU':>8} {'added':>9} {'MiB':>5} {'added':>6}"]
    lines += [
        f"{name:28}{cpu:6.2f} s {(cpu - bare_cpu) * 1e3:6.0f} ms {memory / 2**20:5.0f}"
        f" {(memory - bare_memory) / 2**20:6.1f}"
        for name, (cpu, memory) in figures.items()
    ]
    return "\n".join(lines) + "\n"


def _medians(servers: list[Server]) -> tuple[float, float]:
    """Return seconds of processor time and bytes of resident memory."""
    cpu, memory = ([getattr(server, what) for server in servers] for what in ("start_cpu", "start_memory"))
    return statistics.median(cpu), statistics.median(memory)
