"""What each rule promises at how much traffic; an incident too small for that may go unnoticed, and no smaller one.

A rule with a floor finds what brings it, by three standard deviations, more bad events than it asks for. That is its
floor, or its limit's share of all events, whichever is more; both stand in grafana/source.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.backtest.reach import looks_back
from bench.backtest.traffic import MESSAGES_OF_A_SESSION
from grafana.source import alert_rules, alert_rules_slo
from grafana.source.alerts import CRITICAL, seconds
from grafana.source.objectives import ANSWERS, AVAILABILITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.backtest.happenings import Happening
    from bench.backtest.traffic import Event, Level
    from grafana.source.alerts import Rule

__all__ = ["PROMISES", "Promise", "promised"]

SIGMAS = 3
NOISE = 0.75
"""Traffic may be that much less than usual for a while."""
DAY = 86_400
POOL_WAIT = 30


@dataclass(frozen=True)
class Promise:
    """What a rule asks for: so many bad events in its window, of so many events, more than a share of them."""

    event: Event
    bad: float = 0
    every: float = 0
    share: Callable[[Rule], float] = lambda _: 0


PROMISES: dict[str, Promise] = {
    "ApiErrorRate": Promise("requests", bad=alert_rules.FEWEST_FAILURES, share=lambda rule: rule.level.limit),
    "BotErrorRate": Promise("messages", bad=alert_rules.FEWEST_FAILURES, share=lambda rule: rule.level.limit),
    "ApiLatency": Promise("requests", every=alert_rules.FEWEST_REQUESTS, share=lambda _: 0.05),
    "SlowQueries": Promise("queries", bad=alert_rules.FEWEST_SLOW, share=lambda rule: rule.level.limit),
    "ApiRateLimit": Promise("calls", bad=1),
    "ApiBudgetBurns": Promise(
        "requests", bad=alert_rules_slo.FEWEST_BAD, share=lambda rule: rule.level.limit * AVAILABILITY.budget
    ),
    "BotBudgetBurns": Promise(
        "messages", bad=alert_rules_slo.FEWEST_BAD, share=lambda rule: rule.level.limit * ANSWERS.budget
    ),
}
"""Rules that are not here promise to find what they watch at any traffic."""


def promised(rule: Rule, happening: Happening, level: Level) -> bool:
    """Tell whether a rule promises to find this incident at this level of traffic."""
    name, start = rule.alert.name, happening.start
    if name == "BotHandlesNothing":
        usual = level.expected_in("messages", start - DAY, start - DAY + looks_back(rule))
        return _surely(usual * NOISE, rule.level.limit, 2 * MESSAGES_OF_A_SESSION - 1)
    if name == "DatabasePoolExhausted":
        waiting = level.expected("requests", happening.end) / level.api_processes * POOL_WAIT
        return rule.level.severity != CRITICAL or _surely(waiting * NOISE, 1)
    promise = PROMISES.get(name)
    return promise is None or _finds(promise, rule, happening, level)


def _finds(promise: Promise, rule: Rule, happening: Happening, level: Level) -> bool:
    window = looks_back(rule)
    last = happening.end - seconds(rule.level.hold)
    every = level.expected_in(promise.event, last - window, last)
    bad = level.expected_in(promise.event, max(happening.start, last - window), last) * happening.kind.bad[promise.event]
    spread = 2 * MESSAGES_OF_A_SESSION - 1 if promise.event in {"messages", "calls"} else 1
    enough = _surely(bad * NOISE, promise.bad, spread) and _surely(every * NOISE, promise.every, spread)
    return enough and _surely(bad, promise.share(rule) * every)


def _surely(mean: float, wanted: float, spread: float = 1) -> bool:
    """Tell whether a number of events with this mean, and `spread` times its variance, is never below what is wanted."""
    return mean - SIGMAS * math.sqrt(spread * mean) >= wanted
