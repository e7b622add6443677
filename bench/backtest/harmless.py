"""What looks like trouble and is none: nobody may be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.backtest.happenings import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.backtest.conditions import Conditions

__all__ = ["DEPLOYMENT", "HARMLESS"]

TICKS = 0.25
"""Minutes."""
HALF = 0.5
ALL = {("bot", 0), ("api", 0), ("api", 1), ("api", 2)}


def _deploy(conditions: Conditions, _: float) -> None:
    conditions.down |= ALL


def _reset(conditions: Conditions, passed: float) -> None:
    """Start everything again under the names it had: its counters fall to 0 in place."""
    conditions.down |= ALL if passed < HALF else set()
    conditions.keeps_name = True


def _skewed(seconds: float) -> Callable[[Conditions, float], None]:
    """Let a clock drift away, stay there, and drift back."""

    def change(conditions: Conditions, passed: float) -> None:
        conditions.skew = seconds * min(1, 4 * passed, 4 * (1 - passed))

    return change


def _crash(conditions: Conditions, _: float) -> None:
    conditions.down |= {("bot", 0)}


def _catching_up(conditions: Conditions, passed: float) -> None:
    """Keep Prometheus away for most of the time; then let it evaluate while the queue still drains."""
    conditions.written, conditions.evaluated = False, passed >= 0.95  # noqa: PLR2004


def _storm(conditions: Conditions, passed: float) -> None:
    """Let Prometheus be so busy with dashboards that it misses evaluations."""
    conditions.evaluated = int(passed * 40) % 3 == 0


def _more(conditions: Conditions, passed: float) -> None:
    """Run one process more. One that is taken away and not replaced is missed, and told: that is no harmless thing."""
    conditions.more_processes = 1
    if passed >= 1 - 0.5 / 1440:
        conditions.down |= ALL


def _change(**values: float | bool) -> Callable[[Conditions, float], None]:
    def change(conditions: Conditions, _: float) -> None:
        for name, value in values.items():
            setattr(conditions, name, value)

    return change


DEPLOYMENT = Kind("deployment", 2 * TICKS, _deploy)
HARMLESS = (
    Kind("slow start", 4 * TICKS, _deploy),
    Kind("counter reset", 4 * TICKS, _reset),
    Kind("single crash", 3 * TICKS, _crash),
    Kind("crawler", 20, _change(not_found=20.0)),
    Kind("clock 30 s behind", 360, _skewed(-30.0)),
    Kind("clock 30 s ahead", 360, _skewed(30.0)),
    Kind("remote write blocked for 45 s", 3 * TICKS, _change(written=False)),
    Kind("Prometheus away for 15 minutes", 16, _catching_up),
    Kind("new instance until the next deployment", 1440, _more),
    Kind("single failing request", TICKS, _change(request_fails=True)),
    Kind("single failing message", TICKS, _change(message_fails=True)),
    Kind("dashboard refresh storm", 20, _storm),
    Kind("crowd", 30, _change(requests_factor=6.0, messages_factor=2.0, requests_slower=2.0)),
    Kind("quiet hour", 20, _change(requests_factor=0.05)),
    Kind("busy database", 30, _change(queries_slower=2.0, requests_slower=2.0)),
    Kind("provider fails for a minute", 1, _change(provider_failing=1.0, answers_slower=3.0)),
    Kind("Jaeger restarts", 1, _change(jaeger=False)),
    Kind("Collector restarts", 2 * TICKS, _change(collector=False)),
    Kind("script of two minutes", 2, _change(script=True)),
    Kind("loop late by chance", TICKS, _change(blocked=0.1)),
)
