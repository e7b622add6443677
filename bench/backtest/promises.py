"""What each rule promises at how much traffic; an incident too small for that may go unnoticed, and no bigger one.

A rule with a floor finds what brings, by three standard deviations, more bad events than it asks for: its floor, or its
share of all events, whichever is more. The numbers stand here once more on purpose: who changes a rule must not move
what is expected of it in the same breath.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.backtest.reach import looks_back
from bench.backtest.service import POOL_TIMEOUT
from bench.backtest.traffic import MESSAGES_OF_A_SESSION
from grafana.source.alerts import seconds

if TYPE_CHECKING:
    from bench.backtest.happenings import Happening
    from bench.backtest.traffic import Event, Level
    from grafana.source.alerts import Rule

__all__ = ["PROMISES", "USUAL_MESSAGES", "WAITING", "Promise", "enough", "promised"]

SIGMAS = 3
NOISE = 0.75
"""Traffic may be that much less than usual for a while."""
DAY = 86_400
IN_SESSIONS = 2 * MESSAGES_OF_A_SESSION - 1
"""How many times the variance of single events the number of messages has, since they come in conversations."""


@dataclass(frozen=True)
class Promise:
    """A rule asks for so many bad events in its window, among so many, and for more than this share of them."""

    event: Event
    bad: float = 0
    every: float = 0
    share: float = 0


PROMISES: dict[str, Promise] = {
    "ApiErrorRateWarning": Promise("requests", bad=5, share=0.01),
    "ApiErrorRateCritical": Promise("requests", bad=5, share=0.05),
    "BotErrorRateWarning": Promise("messages", bad=5, share=0.01),
    "BotErrorRateCritical": Promise("messages", bad=5, share=0.05),
    "ApiLatencyWarning": Promise("requests", every=20, share=0.05),
    "ApiLatencyCritical": Promise("requests", every=20, share=0.05),
    "SlowQueriesWarning": Promise("queries", bad=10, share=0.05),
    "SlowQueriesCritical": Promise("queries", bad=10, share=0.25),
    "ApiRateLimitWarning": Promise("calls", bad=1),
    "ApiRateLimitCritical": Promise("calls", bad=1),
    "ApiBudgetBurnsCritical1h": Promise("requests", bad=5, share=0.072),
    "ApiBudgetBurnsCritical6h": Promise("requests", bad=5, share=0.03),
    "ApiBudgetBurnsWarning3d": Promise("requests", bad=5, share=0.005),
    "BotBudgetBurnsCritical1h": Promise("messages", bad=5, share=0.72),
    "BotBudgetBurnsCritical6h": Promise("messages", bad=5, share=0.3),
    "BotBudgetBurnsWarning3d": Promise("messages", bad=5, share=0.05),
}
"""Rules that are not here promise to find what they watch at any traffic, but for those of the two below."""
USUAL_MESSAGES = {"BotHandlesNothingWarning": 75, "BotHandlesNothingCritical": 100}
"""In the rule's window of the day before."""
WAITING = {"DatabasePoolExhaustedCritical": 1}
"""Requests that wait for a connection whenever somebody looks."""


def promised(rule: Rule, happening: Happening, level: Level) -> bool:
    """Tell whether a rule promises to find this incident at this level of traffic."""
    if rule.name in USUAL_MESSAGES:
        yesterday = happening.start - DAY
        usual = level.expected_in("messages", yesterday, yesterday + looks_back(rule))
        return _surely(usual * NOISE, USUAL_MESSAGES[rule.name], IN_SESSIONS)
    if rule.name in WAITING:
        waiting = level.expected("requests", happening.end) / level.api_processes * POOL_TIMEOUT
        return _surely(waiting * NOISE, WAITING[rule.name])
    promise = PROMISES.get(rule.name)
    return promise is None or _finds(promise, rule, happening, level)


def _finds(promise: Promise, rule: Rule, happening: Happening, level: Level) -> bool:
    window, last = looks_back(rule), happening.end - seconds(rule.level.hold)
    every = level.expected_in(promise.event, last - window, last)
    seen = level.expected_in(promise.event, max(happening.start, last - window), last)
    bad = seen * happening.kind.bad[promise.event]
    spread = _spread(promise.event)
    above = _surely(bad * NOISE, promise.bad, spread) and _surely(every * NOISE, promise.every, spread)
    return above and _surely(bad, promise.share * every, spread * happening.kind.bad[promise.event])


def enough(bad: float, event: Event) -> int:
    """Return how many bad events there must be on average for at least so many surely to come."""
    return next(mean for mean in range(1000) if _surely(mean * NOISE, bad, _spread(event)))


def _spread(event: Event) -> float:
    return IN_SESSIONS if event in {"messages", "calls"} else 1


def _surely(mean: float, wanted: float, spread: float = 1) -> bool:
    """Tell whether a number of events of this mean, and `spread` times its variance, is hardly ever below `wanted`."""
    return mean - SIGMAS * math.sqrt(spread * mean) >= wanted
