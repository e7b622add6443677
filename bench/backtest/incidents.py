"""What somebody has to be told: each incident, what it does to the service, which rules must fire and which may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.backtest.happenings import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.backtest.conditions import Conditions

    Change = Callable[[Conditions, float], None]

__all__ = ["INCIDENTS"]

HOUR = 60
CLIMB = 0.4
"""The share of a creeping incident's time in which it grows."""
RESTART = 0.01


def _set(**values: object) -> Change:
    def change(conditions: Conditions, _: float) -> None:
        for name, value in values.items():
            setattr(conditions, name, value)

    return change


def _down(*slots: tuple[str, int]) -> Change:
    def change(conditions: Conditions, _: float) -> None:
        conditions.down |= set(slots)

    return change


def _restarted(conditions: Conditions, passed: float) -> None:
    """Let everything fail from its start under the name it had: a container that is restarted in its place."""
    conditions.down |= {("bot", 0), ("api", 0), ("api", 1)} if passed < RESTART else set()
    conditions.keeps_name, conditions.api_failing, conditions.bot_failing = True, 1.0, 1.0


def _leak(conditions: Conditions, passed: float) -> None:
    conditions.leaked = min(1.0, passed / CLIMB)


def _fill(share: float) -> Change:
    def change(conditions: Conditions, passed: float) -> None:
        conditions.queue = min(share, passed)

    return change


def _fuller_than(share: float) -> Callable[[Conditions], bool]:
    return lambda conditions: conditions.queue > share


def _retries(conditions: Conditions, _: float) -> None:
    """Let half of the calls fail and be made again, until the provider's limit is used up."""
    conditions.provider_failing, conditions.calls_factor, conditions.limit_left = 0.5, 8, 0.02
    conditions.bot_failing = 0.5


def _both(*alerts: str) -> tuple[str, ...]:
    return tuple(f"{alert}{level}" for alert in alerts for level in ("Warning", "Critical"))


FAST, SLOW, CREEPING = "Critical1h", "Critical6h", "Warning3d"
API_FAILS = ("ApiErrorRate", "ApiBudgetBurns")
BOT_FAILS = ("BotErrorRate", "BotBudgetBurns")

INCIDENTS = (
    Kind(
        "outage", 3 * HOUR, _set(api_failing=1.0, bot_failing=1.0),
        must=(*_both("ApiErrorRate", "BotErrorRate"), f"ApiBudgetBurns{FAST}", f"BotBudgetBurns{FAST}"),
        may=(*API_FAILS, *BOT_FAILS), bad={"requests": 1, "messages": 1},
    ),
    Kind(
        "outage after a restart in place", 1 * HOUR, _restarted, must=_both("ApiErrorRate", "BotErrorRate"),
        may=(*API_FAILS, *BOT_FAILS), bad={"requests": 1, "messages": 1}, begins=lambda conditions: not conditions.down,
    ),
    Kind(
        "partial outage", 2 * HOUR, _set(api_failing=0.25, bot_failing=0.25),
        must=(*_both("ApiErrorRate", "BotErrorRate"), f"ApiBudgetBurns{FAST}"),
        may=(*API_FAILS, *BOT_FAILS), bad={"requests": 0.25, "messages": 0.25},
    ),
    Kind(
        "API fails a little for hours", 9 * HOUR, _set(api_failing=0.05),
        must=(f"ApiBudgetBurns{SLOW}",), may=API_FAILS, bad={"requests": 0.05},
    ),
    Kind(
        "API fails very little for days", 40 * HOUR, _set(api_failing=0.025),
        must=(f"ApiBudgetBurns{CREEPING}",), may=API_FAILS, bad={"requests": 0.025},
    ),
    Kind("bot fails for a day", 26 * HOUR, _set(bot_failing=1.0),
         must=(*_both("BotErrorRate"), *(f"BotBudgetBurns{level}" for level in (FAST, SLOW, CREEPING))),
         may=BOT_FAILS, bad={"messages": 1}),
    Kind("slow model", 2 * HOUR, _set(answers_slower=12.0),
         must=(f"BotBudgetBurns{FAST}",), may=("BotBudgetBurns",), bad={"messages": 0.99}),
    Kind("half of the answers slow for hours", 9 * HOUR, _set(answers_stuck=0.5),
         must=(f"BotBudgetBurns{SLOW}",), may=("BotBudgetBurns",), bad={"messages": 0.5}),
    Kind("a fifth of the answers slow for days", 40 * HOUR, _set(answers_stuck=0.2),
         must=(f"BotBudgetBurns{CREEPING}",), may=("BotBudgetBurns",), bad={"messages": 0.2}),
    Kind(
        "slow database", 1 * HOUR, _set(queries_slower=25.0, requests_slower=150.0, answers_slower=1.5),
        must=_both("SlowQueries", "ApiLatency"), may=("BotBudgetBurns",), bad={"queries": 0.5, "requests": 0.6},
    ),
    Kind("slow queries", 1 * HOUR, _set(slow_queries=0.12),
         must=("SlowQueriesWarning",), bad={"queries": 0.12}),
    Kind(
        "pool leak", 2 * HOUR, _leak, must=_both("DatabasePoolExhausted"),
        may=(*API_FAILS, "ApiLatency"), begins=lambda conditions: conditions.leaked >= 1,
    ),
    Kind("retry storm", 1 * HOUR, _retries, must=(*_both("ApiRateLimit", "BotErrorRate"),),
         may=BOT_FAILS, bad={"calls": 1, "messages": 0.5}),
    Kind("rate limiting", 0.75 * HOUR, _set(limit_left=0.12), must=("ApiRateLimitWarning",), bad={"calls": 1}),
    Kind("event loop blocked", 1 * HOUR, _set(blocked=0.05), must=_both("EventLoopLag")),
    Kind("cost runaway", 1.5 * HOUR, _set(usd=18 / 3600), must=_both("ModelCost")),
    Kind("bot stuck", 2 * HOUR, _set(bot_stuck=True), must=_both("BotHandlesNothing"), calm_before=18),
    Kind("bot dead", 0.5 * HOUR, _down(("bot", 0)), must=("ProcessSilentWarning",), may=("BotHandlesNothing",)),
    Kind("one of two API processes dead", 0.5 * HOUR, _down(("api", 1)), must=("ProcessSilentWarning",), needs=2),
    Kind("all processes dead", 0.5 * HOUR, _down(("bot", 0), ("api", 0), ("api", 1), ("api", 2)),
         must=("ProcessSilentCritical",), may=("BotHandlesNothing",)),
    Kind("Collector dead", 0.5 * HOUR, _set(collector=False), must=("CollectorSilentCritical",),
         may=("BotHandlesNothing",)),
    Kind("remote write blocked, then catching up", 0.5 * HOUR, _set(written=False),
         must=("CollectorSilentCritical",), may=("BotHandlesNothing",)),
    Kind("Jaeger away", 1.5 * HOUR, _set(jaeger=False), must=_both("ExporterStuck"), may=("QueueFills",),
         begins=lambda conditions: conditions.spans_wait),
    Kind("queue more than half full", 2 * HOUR, _fill(0.7), must=("QueueFillsWarning",), begins=_fuller_than(0.5)),
    Kind("queue nearly full", 2 * HOUR, _fill(0.95), must=("QueueFillsCritical",), may=("QueueFills",),
         begins=_fuller_than(0.8)),
    Kind("data lost", 0.5 * HOUR, _set(lost=40.0), must=_both("DataLost")),
    Kind("data refused", 0.5 * HOUR, _set(refused=80.0), must=_both("DataRefused")),
)  # fmt: skip
