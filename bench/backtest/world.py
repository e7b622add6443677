"""The service and its Collector, tick by tick, with all that happens to them; yields what they report."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from bench.backtest.conditions import Conditions
from bench.backtest.pipeline import REPORT, Pipeline
from bench.backtest.service import Api, Bot, Process, begin
from bench.backtest.traffic import TICK, Sessions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.backtest.conditions import Slot
    from bench.backtest.happenings import Happening
    from bench.backtest.traffic import Level

__all__ = ["World"]

JITTER = 0.4
"""Seconds by which a report comes earlier or later than due."""
MISSED = 0.002
"""Share of reports that fail; the next one brings what they held."""
BACK_OFF = 32
"""Seconds at most until an exporter that failed tries again."""
TRAFFIC_NOISE, NOISE_SECONDS = 0.15, 1200
SPANS_OF_A_REQUEST, SPANS_OF_A_MESSAGE = 4, 15


class World:
    """One service at one level of traffic."""

    def __init__(self, level: Level, seed: int, happenings: Sequence[Happening], read: frozenset[str]) -> None:
        """Begin with no process; `read` are the names of the series to write."""
        self._level, self._happenings, self._read = level, happenings, read
        self._random = Random(f"{level.name} {seed}")
        self._sessions = Sessions(self._random)
        self._processes: dict[Slot, Process] = {}
        self._names: dict[Slot, str] = {}
        self._pipeline: Pipeline | None = None
        self._heard_from = 0
        """When the Collector began."""
        self._generation = 0
        self.names: set[str] = set()
        """The series it can report."""
        self._noise = 1.0

    def live(self, start: int, end: int) -> Iterator[tuple[Conditions, list[str]]]:
        """Yield the conditions of each tick and the lines that are reported in it."""
        for now in range(start, end, TICK):
            conditions = self._conditions(now)
            if now % NOISE_SECONDS == 0:
                self._noise = self._random.lognormvariate(0, TRAFFIC_NOISE)
            self._replace(conditions, now)
            self._work(conditions, now)
            yield conditions, list(self._reports(conditions, now))

    def _conditions(self, now: float) -> Conditions:
        conditions = Conditions(spans_wait=self._pipeline is not None and self._pipeline.waits)
        for happening in self._happenings:
            happening.change(conditions, now)
        return conditions

    def _replace(self, conditions: Conditions, now: int) -> None:
        """End the processes that are down, begin those that are missing."""
        wanted: set[Slot] = {("bot", 0)}
        wanted |= {("api", number) for number in range(self._level.api_processes + conditions.more_processes)}
        wanted |= {("script", 0)} if conditions.script else set()
        wanted -= conditions.down
        self._processes = {slot: process for slot, process in self._processes.items() if slot in wanted}
        for slot in sorted(wanted - set(self._processes)):
            if not (conditions.keeps_name and slot in self._names):
                self._generation += 1
                self._names[slot] = f"{slot[0]}-{slot[1]}-{self._generation}"
            self._processes[slot] = begin(slot, self._names[slot], self._read, self._random)
            self.names |= self._processes[slot].meter.names
        if not conditions.collector:
            self._pipeline = None
        elif self._pipeline is None:
            self._generation += 1
            self._pipeline, self._heard_from = Pipeline(self._generation, self._read, self._random), now
            self.names |= self._pipeline.alive.names | self._pipeline.meter.names

    def _work(self, conditions: Conditions, now: float) -> None:
        level, noise = self._level, self._noise
        apis = [(slot, process) for slot, process in self._processes.items() if isinstance(process, Api)]
        rate = level.expected("requests", now) * noise * conditions.requests_factor / max(1, len(apis))
        spans = sum(
            process.serve(rate, conditions, first=slot == ("api", 0)) * SPANS_OF_A_REQUEST for slot, process in apis
        )
        messages = self._sessions.messages(level.expected("messages", now) * noise * conditions.messages_factor)
        messages = 0 if conditions.bot_stuck else messages
        for process in self._processes.values():
            if isinstance(process, Bot):
                process.answer(messages, conditions, level.usd_of_a_message)
                spans += messages * SPANS_OF_A_MESSAGE
            elif not isinstance(process, Api):
                process.live(conditions, 0)
        if self._pipeline:
            self._pipeline.pass_on(spans, len(self._processes), conditions)

    def _reports(self, conditions: Conditions, now: float) -> Iterable[str]:
        """Write what arrives at the Collector; without one nothing does, and counters say it with the next report."""
        if self._pipeline is None:
            return
        times = [now + passed + self._pipeline.phase + self._jitter() for passed in range(0, TICK, REPORT)]
        for at in times:
            yield from self._pipeline.alive.lines(at, at - 1)
        yield from self._pipeline.meter.lines(times[-1], times[-1] - 1)
        for slot, process in self._processes.items():
            backs_off = now - self._heard_from < self._random.uniform(0, BACK_OFF)
            if backs_off or self._random.random() < MISSED:
                continue
            at = now + process.phase + self._jitter() + (conditions.skew if slot == ("api", 0) else 0)
            yield from process.meter.lines(at, at - self._random.uniform(0.1, TICK - 1))

    def _jitter(self) -> float:
        return self._random.uniform(-JITTER, JITTER)
