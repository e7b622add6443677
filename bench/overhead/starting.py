"""What a variant adds to the start of the application: processor time and memory at the moment it serves."""

from __future__ import annotations

import random
import statistics
from typing import TYPE_CHECKING

from bench.overhead.measure import BARE
from bench.overhead.servers import Server

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["starts", "starts_table"]

Start = tuple[float, int]
"""Seconds of processor time, bytes of resident memory."""


def starts(names: list[str], python: Path, environ: dict[str, str], rounds: int) -> dict[str, list[Start]]:
    """Start each variant once a round, alone, in an order drawn anew."""
    found: dict[str, list[Start]] = {name: [] for name in names}
    order = random.Random(1)
    for _ in range(rounds):
        for name in order.sample(names, len(names)):
            server = Server(name, python, environ)
            try:
                server.wait()
                found[name].append((server.cpu, server.memory))
            finally:
                server.stop()
    return found


def starts_table(found: dict[str, list[Start]]) -> str:
    """Return the medians as text."""
    bare_cpu, bare_memory = _median(found[BARE])
    lines = ["start, until it serves", f"{'':28}{'CPU':>8} {'added':>9} {'MiB':>5} {'added':>6}"]
    for name, each in found.items():
        cpu, memory = _median(each)
        lines.append(
            f"{name:28}{cpu:6.2f} s {(cpu - bare_cpu) * 1e3:6.0f} ms {memory / 2**20:5.0f}"
            f" {(memory - bare_memory) / 2**20:6.1f}"
        )
    return "\n".join(lines) + "\n"


def _median(each: list[Start]) -> Start:
    return statistics.median(cpu for cpu, _ in each), int(statistics.median(memory for _, memory in each))
