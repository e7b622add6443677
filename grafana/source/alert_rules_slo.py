"""Burn rates of the promises, each over a long and a short window: https://sre.google/workbook/alerting-on-slos/."""

from __future__ import annotations

from functools import partial

from grafana.source.alert_queries import bad_events, burn_rate
from grafana.source.alerts import CRITICAL, WARNING, Alert, Level, Place, seconds
from grafana.source.objectives import ANSWERS, AVAILABILITY, PERIOD, Objective

__all__ = ["ALERTS"]

FEWEST_BAD = 5
"""In a window of an hour or more; fewer are no page, whatever share of a quiet night they are."""
FEWEST_STILL = 1.5
"""In a shorter one: more than a single failure after an incident that is over, while the long window still sees it."""
_HOUR = 3600
LEVELS = (
    Level(CRITICAL, 14.4, "2m", ("1h", "5m")),
    Level(CRITICAL, 6, "5m", ("6h", "30m")),
    Level(WARNING, 1, "30m", ("3d", "6h")),
)


def _burns(objective: Objective, level: Level) -> str:
    long, short = level.windows or ("", "")
    rates = " and ".join(f"{burn_rate(objective, window)} > {level.limit:g}" for window in (long, short))
    floors = " and ".join(f"{bad_events(objective, window)} >= {_fewest(window)}" for window in (long, short))
    return f"{rates} and {floors}"


def _fewest(window: str) -> float:
    return FEWEST_BAD if seconds(window) >= _HOUR else FEWEST_STILL


def _budget(name: str, area: str, objective: Objective, unless: tuple[str, ...] = ()) -> Alert:
    return Alert(
        name, area, "application", "times",
        f"The error budget of <environment> burns <value> times too fast over <window>: {objective.title}.",
        f"{objective.target:.1%} is promised over {PERIOD}; at 1 the budget lasts exactly that long. Both windows are "
        f"above <limit>, so it goes on now.",
        "Error budget burns too fast", Place("slo_dashboard", "Burn rate", objective.title),
        partial(_burns, objective), LEVELS, unless,
    )  # fmt: skip


ALERTS = (
    _budget("ApiBudgetBurns", "api", AVAILABILITY, ("ApiErrorRate", "DatabasePoolExhausted")),
    _budget("BotBudgetBurns", "bot", ANSWERS),
)
