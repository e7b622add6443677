"""The process's own processor time and memory, read at each export, and when it was started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil

from telemetry import catalog

if TYPE_CHECKING:
    from telemetry.instruments import Instruments

__all__ = ["observe_process"]


def observe_process(instruments: Instruments) -> None:
    """Let the process's processor time (seconds) and resident memory (bytes) be exported."""

    def cpu() -> list[tuple[float, dict[str, str]]]:
        times = psutil.Process().cpu_times()  # a forked child asks for its own
        return [(times.user + times.system, {})]

    instruments.observe(catalog.PROCESS_CPU_TIME, cpu)
    instruments.observe(catalog.PROCESS_START_TIME, lambda: [(psutil.Process().create_time(), {})])
    instruments.observe(catalog.PROCESS_MEMORY_USAGE, lambda: [(float(psutil.Process().memory_info().rss), {})])
