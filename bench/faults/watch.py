"""The Collector's own numbers while faults come and go: counters over its restarts, peaks of memory and disk."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from pathlib import Path

    from bench.faults.servers import Server

__all__ = ["Watch"]

_LINE = re.compile(r"^(?P<name>otelcol_\w+?)(?:__\w+?__)?(?:_total)?\{(?P<labels>.*)\} (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_EVERY_SECONDS = 0.25

Key = tuple[str, frozenset[tuple[str, str]]]


@dataclass
class Watch:
    """Reads four times a second until it is stopped; sizes are in bytes."""

    url: str
    """The Collector's own metrics."""
    server: Server
    queue: Path
    memory_peak: int = 0
    disk_peak: int = 0
    """Of the queue's files, with the room that is set aside for them."""
    queued: float = 0.0
    """Bytes that wait in all queues."""
    queued_peak: float = 0.0
    _last: dict[Key, float] = field(default_factory=dict)
    _before: dict[Key, float] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(_EVERY_SECONDS):
            self.look()

    def look(self) -> bool:
        """Read once; tells whether the Collector answered."""
        with self._lock:
            self.memory_peak = max(self.memory_peak, self.server.memory())
            self.disk_peak = max(self.disk_peak, disk_bytes(self.queue))
            try:
                text = httpx.get(self.url, trust_env=False, timeout=2).raise_for_status().text
            except httpx.HTTPError:
                return False
            self._take(_parsed(text))
            return True

    def _take(self, now: dict[Key, float]) -> None:
        for key, value in self._last.items():
            if value > now.get(key, 0.0) and not key[0].endswith("queue_size"):
                self._before[key] = self._before.get(key, 0.0) + value  # the Collector has begun anew
        self._last = now
        self.queued = sum(value for (name, _), value in now.items() if name.endswith("exporter_queue_size"))
        self.queued_peak = max(self.queued_peak, self.queued)

    def total(self, name: str, **labels: str) -> int:
        """Return a counter's sum since the watch began, over all series with these labels and all lives."""
        wanted = set(labels.items())
        with self._lock:
            both = (*self._last.items(), *self._before.items())
            return round(sum(value for (found, has), value in both if found == name and wanted <= has))


def _parsed(text: str) -> dict[Key, float]:
    found: dict[Key, float] = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            key = match["name"], frozenset(_LABEL.findall(match["labels"]))
            found[key] = found.get(key, 0.0) + float(match["value"])
    return found


def disk_bytes(folder: Path) -> int:
    """Return what the files of a folder occupy."""
    total = 0
    for path in folder.glob("*"):
        try:
            total += path.stat().st_blocks * 512
        except OSError:
            continue
    return total
