"""The alert rules over the database: each expression asked of Prometheus at its interval, `for` applied as it does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from bench.backtest.database import AT_ONCE
from bench.backtest.traffic import TICK
from bench.prometheus import Prometheus
from grafana.source.alerts import Rule, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.backtest.database import Database

__all__ = ["Firing", "firings", "held", "replay"]

_POINTS = 10_000
"""Prometheus answers at most 11,000 points of a series."""

Asked = dict[str, dict[str, set[int]]]
"""For each rule, for each of its series, the evaluations at which the condition held."""


@dataclass(frozen=True)
class Firing:
    """An alert of one series, from the evaluation at which it fires to the one at which it is resolved."""

    rule: str
    series: str
    start: int
    end: int


def replay(database: Database, rules: Sequence[Rule], start: int, end: int) -> list[Firing]:
    """Evaluate the rules: while samples are on their way on what is there, else on all."""
    skipped, late = set(database.skipped), set(database.blocked)
    intervals = {seconds(rule.interval) for rule in rules}
    evaluations = {
        interval: [at for at in range(start, end, interval) if not _within(at, skipped)] for interval in intervals
    }
    found: Asked = {rule.name: {} for rule in rules}

    def ask(*, while_late: bool) -> None:
        asked = {each: [at for at in times if _within(at, late) is while_late] for each, times in evaluations.items()}
        with Prometheus(database.data, database.binaries) as prometheus, ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda rule: _ask(prometheus, rule, asked[seconds(rule.interval)], found[rule.name]), rules))

    ask(while_late=True)
    database.catch_up()
    ask(while_late=False)
    return [firing for rule in rules for firing in firings(rule, found[rule.name], evaluations[seconds(rule.interval)])]


def firings(rule: Rule, conditions: dict[str, set[int]], evaluations: Sequence[int]) -> Iterator[Firing]:
    """Give the firings of a rule."""
    for series, true in sorted(conditions.items()):
        for begin, end in held(true, evaluations, seconds(rule.level.hold)):
            yield Firing(rule.name, series, begin, end)


def held(true: set[int], evaluations: Sequence[int], hold: int) -> Iterator[tuple[int, int]]:
    """Give the times from when a condition has held for `hold` seconds to when it does no more.

    As Prometheus: it counts from the first evaluation at which it holds, and only evaluations count, however far apart.
    """
    runs = groupby(range(len(evaluations)), key=lambda index: evaluations[index] in true)
    for holds, indexes in runs:
        run = list(indexes)
        fired = next((evaluations[i] for i in run if evaluations[i] - evaluations[run[0]] >= hold), None)
        if holds and fired is not None:
            yield fired, evaluations[min(run[-1] + 1, len(evaluations) - 1)]


def _within(at: int, ticks: set[int]) -> bool:
    return at - at % TICK in ticks


def _ask(prometheus: Prometheus, rule: Rule, evaluations: Sequence[int], found: dict[str, set[int]]) -> None:
    step = seconds(rule.interval)
    for first, last in _stretches(evaluations, step):
        for answer in prometheus.ask("/query_range", rule.expr, start=first, end=last, step=step):
            series = ",".join(f"{name}={value}" for name, value in sorted(answer["metric"].items()))
            found.setdefault(series, set()).update(int(at) for at, _ in answer["values"])


def _stretches(evaluations: Sequence[int], step: int) -> Iterator[tuple[int, int]]:
    """Give begin and end of evaluations that follow each other without a gap, so many points at most."""
    for _, group in groupby(enumerate(evaluations), key=lambda pair: pair[1] - pair[0] * step):
        stretch = [at for _, at in group]
        for begin in range(0, len(stretch), _POINTS):
            part = stretch[begin : begin + _POINTS]
            yield part[0], part[-1]
