"""What happens when: weeks with incidents, weeks with harmless things only, two deployments in each."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from bench.backtest.happenings import Happening
from bench.backtest.harmless import DEPLOYMENT, HARMLESS
from bench.backtest.incidents import INCIDENTS
from bench.backtest.traffic import TICK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.backtest.happenings import Kind
    from bench.backtest.traffic import Level

__all__ = ["BEGIN", "HARMLESS_WEEKS", "WEEK", "Plan", "happenings", "in_harmless_week"]

DAY, HOUR = 86_400, 3600
WEEK = 7 * DAY
BEGIN = 1_767_571_200
"""Monday, 5 January 2026, 00:00 UTC."""
HARMLESS_WEEKS = (3, 7)
TIMES_A_WEEK = 3
"""Each harmless thing, in a harmless week."""
CALM = 8
"""Hours between two incidents, so that no window sees both but those of three days."""
DEPLOYED = ((1, 10), (3, 15))
"""Weekday and hour."""


@dataclass(frozen=True)
class Plan:
    """How long a backtest is, and the seed of all that is drawn."""

    seed: int = 1
    weeks: int = 8


def happenings(level: Level, plan: Plan) -> list[Happening]:
    """Return all that happens at a level of traffic, in order."""
    random = Random(f"schedule {level.name} {plan.seed}")
    incidents = list(_incidents(level, random, BEGIN + plan.weeks * WEEK))
    harmless = [thing for week in HARMLESS_WEEKS if week < plan.weeks for thing in _harmless(week, random)]
    deployments = list(_deployments(plan.weeks, random, incidents))
    return sorted([*incidents, *harmless, *deployments], key=lambda happening: happening.start)


def in_harmless_week(at: float) -> bool:
    """Tell whether nothing bad happens in the week of this time."""
    return int(at - BEGIN) // WEEK in HARMLESS_WEEKS


def _incidents(level: Level, random: Random, end: float) -> Iterator[Happening]:
    """Give every kind by day, then again at any hour, for as long as there are weeks."""
    kinds = [kind for kind in INCIDENTS if kind.needs <= level.api_processes]
    free, by_day = float(BEGIN + DAY + CALM * HOUR), True
    while True:
        for kind in random.sample(kinds, len(kinds)):
            start = _aligned(_next(free + kind.calm_before * HOUR, kind, random, by_day=by_day))
            if start + kind.minutes * 60 + CALM * HOUR > end:
                return
            yield Happening(kind, start)
            free = start + kind.minutes * 60 + CALM * HOUR
        by_day = False


def _next(free: float, kind: Kind, random: Random, *, by_day: bool) -> float:
    """Find a time for an incident: by day where people are awake, and in no harmless week."""
    start = free + random.uniform(0, 4 * HOUR)
    hour = (start - BEGIN) % DAY / HOUR
    if by_day and not 9 <= hour <= 18:  # noqa: PLR2004
        start += (random.uniform(9, 18) - hour) % 24 * HOUR
    for week in HARMLESS_WEEKS:
        begin = BEGIN + week * WEEK
        if begin - kind.minutes * 60 - CALM * HOUR < start < begin + WEEK:
            return begin + WEEK + random.uniform(9, 15) * HOUR
    return start


def _harmless(week: int, random: Random) -> Iterator[Happening]:
    """Give each harmless thing some times at any hour, one after the other."""
    kinds = random.sample(HARMLESS * TIMES_A_WEEK, len(HARMLESS) * TIMES_A_WEEK)
    begin, last = BEGIN + week * WEEK + CALM * HOUR, BEGIN + (week + 1) * WEEK
    for number, kind in enumerate(kinds):
        start = begin + (last - begin) * (number + random.uniform(0, 0.3)) / len(kinds)
        if start + kind.minutes * 60 < last:
            yield Happening(kind, _aligned(start))


def _deployments(weeks: int, random: Random, incidents: list[Happening]) -> Iterator[Happening]:
    """Give two a week, not in the middle of a short incident: a process that is replaced is missed by nobody."""
    for week in range(weeks):
        for weekday, hour in DEPLOYED:
            at = _aligned(BEGIN + week * WEEK + weekday * DAY + (hour + random.uniform(0, 2)) * HOUR)
            short = (known for known in incidents if known.kind.minutes < CALM * 60)
            if not any(known.start - HOUR < at < known.end + HOUR for known in short):
                yield Happening(DEPLOYMENT, at)


def _aligned(at: float) -> float:
    return at // TICK * TICK
