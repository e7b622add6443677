"""The processes themselves: panels that the dashboards of bot and API share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.source.links import to_runbook
from grafana.source.panels import About, Ask, Look, lines
from grafana.source.promql import Queries
from telemetry import catalog

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Panel

__all__ = ["processes"]

ASK = Queries()


def processes() -> tuple[tuple[int, Panel], ...]:
    """Processor time, memory, age and heartbeat of each process, for the end of a dashboard's last row."""
    links = (to_runbook("High latency"),)
    cpu = lines(
        About("Processor", "Share of one processor core that each process uses. At 1 it cannot do more.",
              "No process reports.", links),
        Ask(ASK.rate(catalog.PROCESS_CPU_TIME, "instance"), "{{instance}}"), look=Look("percentunit"),
    )  # fmt: skip
    memory = lines(
        About("Memory", "Memory each process holds. A line that only climbs is a leak.", "No process reports.", links),
        Ask(ASK.now(catalog.PROCESS_MEMORY_USAGE, "max", "instance"), "{{instance}}"), look=Look("bytes"),
    )  # fmt: skip
    age = lines(
        About("Running for", "How long each process has run. A line that falls to 0 is a restart.",
              "No process reports.", links),
        Ask(f"time() - {ASK.now(catalog.PROCESS_START_TIME, 'max', 'instance')}", "{{instance}}"), look=Look("s"),
    )  # fmt: skip
    heartbeat = lines(
        About("Last heartbeat", "How long ago each process's runtime collector began a round. Past two minutes its "
              "event loop is stuck.", "No runtime collector is started.", links),
        Ask(f"time() - {ASK.now(catalog.HEARTBEAT, 'max', 'instance')}", "{{instance}}"), look=Look("s"),
    )  # fmt: skip
    return (12, cpu), (12, memory), (12, age), (12, heartbeat)
