"""Is the Collector's pipeline moving? Its health check says 200 whatever the pipeline does, so its queues are read."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from stack.probe import client

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = ["Exporter", "pipeline_trouble", "read_exporters", "trouble"]

_NEARLY_FULL = 0.8
_LINE = re.compile(r"^otelcol_exporter_(?P<metric>[a-z_]+?)(?:__[a-z]+_)?(?:_total)?\{(?P<labels>.*)\} (?P<value>\S+)$")
_EXPORTER = re.compile(r'(?:^|,)exporter="([^"]*)"')
_SECONDS_BETWEEN = 3.0


@dataclass
class Exporter:
    """An exporter's queue and counters at one moment."""

    queue_size: float = 0.0
    queue_capacity: float = 0.0
    sent: float = 0.0
    failed: float = 0.0
    refused: float = 0.0

    @property
    def use(self) -> float:
        """How full the queue is, 0 to 1."""
        return self.queue_size / self.queue_capacity if self.queue_capacity else 0.0


def read_exporters(text: str) -> dict[str, Exporter]:
    """The exporters in the Collector's own metrics, summed over signals."""
    found: dict[str, Exporter] = defaultdict(Exporter)
    for line in text.splitlines():
        match = _LINE.match(line)
        name = _EXPORTER.search(match["labels"]) if match else None
        if match and name:
            _count(found[name[1]], match["metric"], float(match["value"]))
    return dict(found)


def _count(exporter: Exporter, metric: str, value: float) -> None:
    if metric == "queue_size":
        exporter.queue_size = max(exporter.queue_size, value)
    elif metric == "queue_capacity":
        exporter.queue_capacity = max(exporter.queue_capacity, value)
    elif metric.startswith("sent_"):
        exporter.sent += value
    elif metric.startswith("send_failed_"):
        exporter.failed += value
    elif metric.startswith("enqueue_failed_"):
        exporter.refused += value


def trouble(before: dict[str, Exporter], after: dict[str, Exporter]) -> list[str]:
    """What is wrong with exporters between two readings, a sentence each."""
    found = []
    for name, now in after.items():
        was = before.get(name, Exporter())
        if now.refused > was.refused:
            found.append(f"{name} refuses data: its queue is full")
        elif now.use >= _NEARLY_FULL:
            found.append(f"{name}: its queue is {now.use:.0%} full")
        elif min(was.queue_size, now.queue_size) > 0 and now.sent == was.sent:
            found.append(f"{name} is wedged: {now.queue_size:,.0f} bytes wait and nothing was sent")
        elif now.failed > was.failed and now.queue_capacity:
            found.append(f"{name} loses data: {now.failed - was.failed:,.0f} items failed for good")
    return found


def pipeline_trouble(settings: Settings) -> list[str]:
    """Two readings of the running Collector; the second only if a queue holds something or anything failed."""
    try:
        before = _fetch(settings)
        if not any(exporter.queue_size for exporter in before.values()):
            return []
        time.sleep(_SECONDS_BETWEEN)
        return trouble(before, _fetch(settings))
    except httpx.HTTPError as error:
        return [f"the Collector's own metrics cannot be read: {error}"]


def _fetch(settings: Settings) -> dict[str, Exporter]:
    with client() as http:
        answer = http.get(f"{settings.url('COLLECTOR_METRICS_PORT')}/metrics")
        return read_exporters(answer.raise_for_status().text)
