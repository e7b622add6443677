"""Rounds of the same load against each variant and, by turns of a fraction of a second, the bare application.

What else the machine does changes within a second, and so does what it gives: in turns it touches both alike. Two
processes of the same application differ by up to a tenth for as long as they live: each round has its own.
"""

from __future__ import annotations

import asyncio
import statistics
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench.overhead.load import Client, Load, send

if TYPE_CHECKING:
    from bench.overhead.servers import Server

__all__ = ["BARE", "WORKLOADS", "Figures", "Workload", "measure"]

BARE = "bare"
SLICES = 20
WARM_UP = 4
"""A fourth of a load makes the interpreter know the code, and the pools and connections be there."""
SETTLE_SECONDS = 1.5
"""After a load, in which batches are sent: what recording costs later counts as well, and what idling does for both."""


@dataclass(frozen=True)
class Workload:
    """One kind of work: so many requests a round over so many connections."""

    name: str
    load: Load


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("JSON only, 100 connections", Load("GET", "/json/{item}", 4000, 100)),
        Workload("one SELECT, 100 connections", Load("GET", "/foods/{item}", 2000, 100)),
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


def measure(reference: Server, server: Server, workload: Workload, found: Figures) -> None:
    """Warm up, then ask a server by turns with the bare one for `reference`; add a pair of bursts to what was found.

    Both begin with all garbage collected: the first time they do so by themselves comes the sooner the more modules are
    loaded, takes 0.2 s, and would fall into the load of one and not of the other, though both do it as often later.
    """
    warm_up = replace(workload.load, requests=max(workload.load.requests // WARM_UP, 2 * workload.load.connections))
    for each in (reference, server):
        asyncio.run(send(warm_up, each.port))
        each.collect_garbage()
    found.pairs.append(asyncio.run(_pair(reference, server, workload.load)))
    found.memory = server.memory


async def _pair(reference: Server, server: Server, load: Load) -> tuple[Burst, Burst]:
    """Send a load to each of both in slices, by turns, and let them settle."""
    before = reference.cpu, server.cpu
    async with Client(load, reference.port) as first, Client(load, server.port) as second:
        for count in _slices(load):
            await first.send(count)
            await second.send(count)
    await asyncio.sleep(SETTLE_SECONDS)
    bare, own = (after - earlier for after, earlier in zip((reference.cpu, server.cpu), before, strict=True))
    return _burst(first, bare), _burst(second, own)


def _slices(load: Load) -> list[int]:
    """Return how many requests each turn has: no fewer than twice the connections, that these are busy for the most."""
    number = max(1, min(SLICES, load.requests // (2 * load.connections)))
    return [load.requests * (turn + 1) // number - load.requests * turn // number for turn in range(number)]


def _burst(client: Client, cpu: float) -> Burst:
    ordered = sorted(client.times)
    return Burst(
        cpu / len(ordered), len(ordered) / client.seconds, _percentile(ordered, 0.5), _percentile(ordered, 0.99)
    )


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
