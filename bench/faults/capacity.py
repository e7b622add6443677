"""How much one Collector takes: items a second, the processor time and memory that they cost, and where it refuses.

`python -m bench.faults.capacity [--seconds N]`. The stores are stand-ins that take all at once, so that it is the
Collector that is measured. Senders and stand-ins share the machine with it: read the figures for a second of its own
processor time.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from dataclasses import dataclass

import httpx

from bench.faults.proxy import Behaviour
from bench.faults.scene import Scene, Setting, scene
from bench.faults.senders import Ledger, Load, MetricSender, Sender, SpanSender

RATES = (5_000, 10_000, 20_000, 40_000, 80_000)
_IDLE = Load(items=1, pause_seconds=3600)
_BATCH, _SENDERS = 500, 4
_ATTRIBUTES = {"spans": 12, "metric_points": 3}
_KINDS: dict[str, type[Sender]] = {"spans": SpanSender, "metric_points": MetricSender}


@dataclass(frozen=True)
class Step:
    """What one rate came to."""

    accepted: float
    """Items a second."""
    refused: int
    cores: float
    memory_bytes: int
    queued_bytes: float
    lost: int
    """Accepted, and neither handed on nor waiting in the end."""


class _Stream(threading.Thread):
    """Sends the same request again and again, at a rate."""

    def __init__(self, url: str, body: bytes, pause_seconds: float, until: float) -> None:
        super().__init__(daemon=True)
        self.refused = 0
        self._url, self._body, self._pause, self._until = url, body, pause_seconds, until

    def run(self) -> None:
        headers = {"content-type": "application/x-protobuf"}
        due = time.monotonic()
        with httpx.Client(trust_env=False, timeout=30) as client:
            while (now := time.monotonic()) < self._until:
                if now < due:
                    time.sleep(min(due - now, self._until - now))
                    continue
                due += self._pause
                self.refused += not client.post(self._url, content=self._body, headers=headers).is_success


def measure(made: Scene, what: str, rate: int, seconds: float) -> Step:
    """Send `rate` items a second for so long."""
    kind = _KINDS[what]
    body, _, _ = kind("", Ledger(), "load", Load(items=_BATCH, attributes=_ATTRIBUTES[what])).request()
    made.watch.look()
    before, cpu, began = _count(made, "receiver_accepted", what), made.collector.processor_seconds(), time.monotonic()
    until, pause = began + seconds, _BATCH * _SENDERS / rate
    url = made.place.url("OTLP_HTTP_PORT") + kind.path
    streams = [_Stream(url, body, pause, until) for _ in range(_SENDERS)]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()
    took, cpu = time.monotonic() - began, made.collector.processor_seconds() - cpu
    made.watch.look()
    queued = made.watch.queued
    made.drain()
    accepted = _count(made, "receiver_accepted", what)
    lost = accepted - _count(made, "exporter_sent", what)
    refused = sum(stream.refused for stream in streams) * _BATCH
    return Step((accepted - before) / took, refused, cpu / took, made.collector.memory(), queued, lost)


def _count(made: Scene, name: str, what: str) -> int:
    only = {"receiver": "otlp/apps"} if name.startswith("receiver") else {}
    if what == "metric_points" and not only:
        only = {"exporter": "otlp_http/loop"}
    return made.watch.total(f"otelcol_{name}_{what}", **only)


def main() -> int:
    """Print a line for each rate; returns 1 where something was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults.capacity")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each rate lasts (20)")
    options = parser.parse_args()
    line = "{:<15}{:>9}{:>12}{:>10}{:>8}{:>16}{:>10}{:>12}{:>6}"
    print(line.format("", "wanted", "accepted/s", "refused", "cores", "a core second", "memory", "waiting", "lost"))
    lost = 0
    for what in _KINDS:
        for rate in RATES:
            with scene(Setting(spans=_IDLE, samples=_IDLE)) as made:
                made.behave(Behaviour(status=200))
                step = measure(made, what, rate, options.seconds)
            lost += step.lost
            sizes = [f"{size / 2**20:.0f} MiB" for size in (step.memory_bytes, step.queued_bytes)]
            numbers = [f"{step.cores:.2f}", f"{step.accepted / step.cores:,.0f}", *sizes, f"{step.lost}"]
            print(line.format(what, f"{rate:,}", f"{step.accepted:,.0f}", f"{step.refused}", *numbers), flush=True)
    return int(lost > 0)


if __name__ == "__main__":
    sys.exit(main())
