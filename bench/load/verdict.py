"""Whether the generator and the backends agree: counts, sampling, budget, alerts, cost of telemetry."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from grafana.source.alert_rules import API_ERRORS, API_LATENCY, BOT_ERRORS
from grafana.source.alert_rules_slo import ALERTS as BUDGETS
from grafana.source.alerts import seconds
from grafana.source.objectives import ANSWERS, AVAILABILITY
from grafana.source.rules import OBJECTIVES_INTERVAL
from telemetry.doctor.shares import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.load.found import Found, Key
    from bench.load.run import Run
    from grafana.source.alerts import Alert, Rule
    from telemetry.backends import Prometheus

__all__ = ["Asked", "Ruled", "Sampling", "budget_used", "differing", "rules", "sampling", "throughputs"]

API_BUDGET, BOT_BUDGET = BUDGETS
CONFIDENCE = 0.99
SERVER_ERROR = "5"
FEWEST_FAILURES = 5
INACTIVE, PENDING, FIRING = "inactive", "pending", "firing"
EITHER, NEAR = "either", 0.25
"""So near its limit a condition may hold or not: Prometheus weighs by time, the generator by requests."""
EVALUATION_SECONDS = seconds(OBJECTIVES_INTERVAL) + max(seconds(rule.interval) for rule in API_BUDGET.rules()) + 10
"""A rule that should be pending is waited for so long: a budget's sees what is recorded before it is evaluated."""


@dataclass(frozen=True)
class Sampling:
    """How many requests were recorded of how many, and within which shares the true one is, with 99% confidence."""

    recorded: int
    of: int
    low: float
    high: float
    configured: float

    @property
    def ok(self) -> bool:
        """Whether the configured share is one of them."""
        return self.low <= self.configured <= self.high


def sampling(recorded: int, of: int, configured: float) -> Sampling:
    """Return the share with its interval."""
    low, high = wilson(recorded, max(of, 1), NormalDist().inv_cdf((1 + CONFIDENCE) / 2))
    return Sampling(recorded, of, low, high, configured)


def differing(run: Run, found: Found) -> dict[str, dict[Key, tuple[int, int]]]:
    """Return each count that the generator and a backend do not agree on: what was sent, what was found."""
    sent, bot = run.answers("on"), _updates(run)
    failed = {key: count for key, count in sent.items() if key[2].startswith(SERVER_ERROR)}
    pairs = {
        "requests in Prometheus": (sent, found.http),
        "failed requests in Jaeger": (failed, found.failed),
        "updates in Prometheus": (bot, found.messages),
    }
    differences = {what: dict(_differing(Counter(a), Counter(b))) for what, (a, b) in pairs.items()}
    return {what: keys for what, keys in differences.items() if keys}


def _updates(run: Run) -> dict[Key, int]:
    return {tuple(key): count for key, count in run.bot.updates.items()}


def _differing(sent: Counter[Key], found: Counter[Key]) -> Iterator[tuple[Key, tuple[int, int]]]:
    for key in sorted({*sent, *found}):
        if sent[key] != found[key]:
            yield key, (sent[key], found[key])


def _failed_share(counts: dict[Key, int], *, failed: str) -> tuple[int, float]:
    bad = sum(count for key, count in counts.items() if key[-1].startswith(failed))
    return bad, bad / max(sum(counts.values()), 1)


def budget_used(counts: dict[Key, int]) -> float:
    """Return how many times the errors that these requests were allowed have happened."""
    return _failed_share(counts, failed=SERVER_ERROR)[1] / AVAILABILITY.budget


def throughputs(turns: list[int]) -> list[float]:
    """Return the ratio of answers with telemetry to those without, of each round A B B A; twice where there is one."""
    rounds = [turns[at : at + 4] for at in range(0, len(turns), 4)]
    ratios = [(first + fourth) / max(second + third, 1) for first, second, third, fourth in rounds]
    return ratios if len(ratios) > 1 else ratios * 2


@dataclass(frozen=True)
class Asked:
    """A rule whose condition the generator can judge: what it measured, and what the rule's state should be."""

    rule: Rule
    measured: float
    expected: str


@dataclass(frozen=True)
class Ruled:
    """A rule beside its state in Prometheus: `inactive`, `pending` or `firing`, the furthest it came to."""

    asked: Asked
    state: str

    @property
    def ok(self) -> bool:
        """Whether it is as it should be; one that holds while the backends are waited for may come to fire."""
        return self.asked.expected in (self.state, EITHER) or (self.asked.expected, self.state) == (PENDING, FIRING)


def rules(run: Run, prometheus: Prometheus) -> tuple[list[Ruled], dict[str, str]]:
    """Return the rules that the generator can judge, and the state of every rule that was not inactive."""
    asked = list(_asked(run))
    deadline = time.monotonic() + EVALUATION_SECONDS
    while True:
        states = _states(run, prometheus)
        ruled = [Ruled(one, states.get(one.rule.name, INACTIVE)) for one in asked]
        if all(one.ok for one in ruled) or time.monotonic() > deadline:
            return ruled, states
        time.sleep(2)


def _states(run: Run, prometheus: Prometheus) -> dict[str, str]:
    window = f"{time.time() - run.began:.0f}s"
    series = f'ALERTS{{deployment_environment_name="{run.environment}"}}'
    found = prometheus.query(f"count by (alertname, alertstate) (count_over_time({series}[{window}]))")
    states = sorted((sample.labels["alertname"], sample.labels["alertstate"]) for sample in found)
    return dict(reversed(states))  # of both states `firing` is the later one


def _asked(run: Run) -> Iterator[Asked]:
    on, bot = run.answers("on"), _updates(run)
    yield from _judged(API_ERRORS, run, *_failed_share(on, failed=SERVER_ERROR))
    yield from _judged(BOT_ERRORS, run, *_failed_share(bot, failed="error"))
    yield from _judged(API_LATENCY, run, sum(on.values()), run.answered.latency["on"]["p95"])
    for alert, objective, (events, share) in (
        (API_BUDGET, AVAILABILITY, _failed_share(on, failed=SERVER_ERROR)),
        (BOT_BUDGET, ANSWERS, _failed_share(bot, failed="error")),
    ):
        yield from _judged(alert, run, events, share / objective.budget)


def _judged(alert: Alert, run: Run, events: int, measured: float) -> Iterator[Asked]:
    for rule in alert.rules():
        long_enough = run.load.seconds > seconds(rule.level.hold) + EVALUATION_SECONDS
        holds = measured > rule.level.limit and events >= FEWEST_FAILURES
        expected = (FIRING if long_enough else PENDING) if holds else INACTIVE
        near = abs(measured / rule.level.limit - 1) < NEAR and events >= FEWEST_FAILURES
        yield Asked(rule, measured, EITHER if near else expected)
