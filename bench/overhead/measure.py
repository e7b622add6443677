"""Rounds of the same load against each variant, each right after the bare application: the ratio of two neighbours.

What else the machine does changes within seconds, and so does what it gives; a pair is over before that.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.overhead.load import Load, send

if TYPE_CHECKING:
    from bench.overhead.servers import Server

__all__ = ["BARE", "WORKLOADS", "Figures", "Workload", "measure"]

BARE = "bare"
SETTLE_SECONDS = 1.2
"""After a load, in which batches are sent: what recording costs later counts as well, and what idling does for both."""


@dataclass(frozen=True)
class Workload:
    """One kind of work: so many requests a round over so many connections."""

    name: str
    load: Load


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("JSON only, 100 connections", Load("GET", "/json/{item}", 2000, 100)),
        Workload("one SELECT, 100 connections", Load("GET", "/foods/{item}", 1000, 100)),
        Workload("INSERT and SELECT, 100 connections", Load("POST", "/entries/{item}", 800, 100)),
        Workload("one SELECT, one connection", Load("GET", "/foods/{item}", 500, 1)),
        Workload("a Telegram text, agent with two tool calls, 10 at once", Load("POST", "/webhook/text", 80, 10)),
        Workload("a photo, downloaded and shown to the agent, 10 at once", Load("POST", "/webhook/photo", 60, 10)),
        Workload("an exception, 10 connections", Load("GET", "/fails/{item}", 300, 10)),
    )
}


@dataclass(frozen=True)
class Burst:
    """What one server made of the load once."""

    cpu: float
    """Seconds of processor time a request."""
    rate: float
    """Requests a second."""
    p50: float
    p99: float


@dataclass
class Figures:
    """Of one variant and workload: a pair of bursts a round, the bare application's and its own."""

    pairs: list[tuple[Burst, Burst]] = field(default_factory=list)
    memory: int = 0

    @property
    def bare_cpu(self) -> float:
        """What the bare application took beside it, in seconds a request."""
        return statistics.median(bare.cpu for bare, _ in self.pairs)

    def ratio(self, what: str) -> tuple[float, float, float]:
        """Return the median over the rounds of the ratio to the bare application, and its quartiles."""
        ratios = [getattr(own, what) / getattr(bare, what) for bare, own in self.pairs]
        if len(ratios) == 1:
            return ratios[0], ratios[0], ratios[0]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return middle, low, high


def measure(reference: Server, servers: list[Server], workload: Workload, rounds: int) -> dict[str, Figures]:
    """Warm up, then ask each server in each round, in an order drawn anew, right after the bare one for `reference`."""
    found = {server.name: Figures() for server in servers}
    for server in (reference, *servers):
        asyncio.run(send(workload.load, server.port))
    order = random.Random(1)
    for _ in range(rounds):
        for server in order.sample(servers, len(servers)):
            found[server.name].pairs.append((_burst(reference, workload), _burst(server, workload)))
            found[server.name].memory = server.memory
    return found


def _burst(server: Server, workload: Workload) -> Burst:
    before, requests = server.cpu, workload.load.requests
    seconds, times = asyncio.run(send(workload.load, server.port))
    time.sleep(SETTLE_SECONDS)
    ordered = sorted(times)
    cpu = (server.cpu - before) / requests
    return Burst(cpu, requests / seconds, _percentile(ordered, 0.5), _percentile(ordered, 0.99))


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
