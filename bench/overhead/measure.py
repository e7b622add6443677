"""Rounds of the same load against each variant in turn, and what came of them against the bare application."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.overhead.load import Load, send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.overhead.servers import Server

__all__ = ["BARE", "WORKLOADS", "Figures", "Workload", "measure"]

BARE = "bare"
SETTLE_SECONDS = 1.2
"""After the load, in which batches are sent: what recording costs later counts as well."""


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
        Workload("INSERT and SELECT, 100 connections", Load("POST", "/entries/{item}", 1000, 100)),
        Workload("one SELECT, one connection", Load("GET", "/foods/{item}", 600, 1)),
        Workload("a Telegram text, agent with two tool calls, 10 at once", Load("POST", "/webhook/text", 200, 10)),
        Workload("a photo, downloaded and shown to the agent, 10 at once", Load("POST", "/webhook/photo", 200, 10)),
        Workload("an exception, 10 connections", Load("GET", "/fails/{item}", 300, 10)),
    )
}


@dataclass
class Figures:
    """Of one variant and workload, one number a round."""

    cpu: list[float] = field(default_factory=list)
    """Seconds of processor time a request."""
    rate: list[float] = field(default_factory=list)
    """Requests a second."""
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    memory: int = 0

    def against(self, bare: Figures, what: str) -> tuple[float, float, float]:
        """Return the median over the rounds of the ratio to the bare application, and its quartiles."""
        ratios = [ours / theirs for ours, theirs in zip(getattr(self, what), getattr(bare, what), strict=True)]
        if len(ratios) == 1:
            return ratios[0], ratios[0], ratios[0]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return middle, low, high


def measure(servers: list[Server], workload: Workload, rounds: int) -> dict[str, Figures]:
    """Warm up, then ask each server in each round, in an order drawn anew."""
    found = {server.name: Figures() for server in servers}
    for server in servers:
        asyncio.run(send(workload.load, server.port))
    order = random.Random(1)
    for _ in range(rounds):
        for server in order.sample(servers, len(servers)):
            _one(server, workload, found[server.name])
    return found


def _one(server: Server, workload: Workload, figures: Figures) -> None:
    before = server.cpu
    seconds, times = asyncio.run(send(workload.load, server.port))
    time.sleep(SETTLE_SECONDS)
    figures.cpu.append((server.cpu - before) / workload.load.requests)
    figures.rate.append(workload.load.requests / seconds)
    figures.p50.append(_percentile(times, 0.5))
    figures.p99.append(_percentile(times, 0.99))
    figures.memory = server.memory


def _percentile(times: Iterable[float], share: float) -> float:
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
