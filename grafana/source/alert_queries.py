"""The queries that only alerts ask. They keep the labels that tell where it happened, and read no variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.source.alerts import seconds
from grafana.source.promql import Queries, Scope

if TYPE_CHECKING:
    from grafana.source.objectives import Objective
    from telemetry.catalog import Metric

__all__ = [
    "ASK", "ENVIRONMENT", "PROCESS", "SERVICE", "bad_events", "burn_rate", "counted", "first_seen", "grown",
    "last_seen", "quantile",
]  # fmt: skip

ASK = Queries(Scope(window="5m"))
ENVIRONMENT = "deployment_environment_name"
SERVICE = f"{ENVIRONMENT}, service_name"
PROCESS = f"{SERVICE}, instance"


def grown(series: str, window: str, by: str) -> str:
    """Events in the window, exact, the first one of a series included, which rate() and increase() do not see.

    What a series had in the hour before the window is taken off, so that a gap in the data is no burst of events. Where
    it has begun again at 0 since then, under the same name, increase() says how many: that knows of resets.
    """
    now, reach = f"max_over_time({series}[{window}])", seconds(window) + seconds("1h")
    new = f"{now} - (max_over_time({series}[1h] offset {window}) or 0 * {now})"
    return f"sum by ({by}) ({new} unless resets({series}[{reach // 60}m]) > 0 or increase({series}[{window}]))"


def counted(metric: Metric, window: str, by: str = ENVIRONMENT, where: str = "", suffix: str = "") -> str:
    """Events of one of our metrics in the window."""
    return grown(ASK.series(metric, where, suffix), window, by)


def quantile(share: float, metric: Metric, by: str) -> str:
    """Estimate what this share of the last five minutes' events stayed below."""
    return ASK.quantile(share, metric, by)


def last_seen(cpu: Metric, by: str) -> str:
    """When something has last reported, of what did in the last hour."""
    return f"max by ({by}) (max_over_time(timestamp({ASK.series(cpu)})[1h:15s]))"


def first_seen(cpu: Metric, by: str) -> str:
    """When it first reported in the last hour."""
    return f"min by ({by}) (min_over_time(timestamp({ASK.series(cpu)})[1h:15s]))"


def _events(objective: Objective, window: str) -> tuple[str, str]:
    """Good and all events in a window; 0 good ones where nothing has ever succeeded."""
    every = f"sum by ({ENVIRONMENT}) (sum_over_time({objective.recorded('all')}[{window}]))"
    good = f"sum by ({ENVIRONMENT}) (sum_over_time({objective.recorded('good')}[{window}]))"
    return f"({good} or 0 * {every})", every


def burn_rate(objective: Objective, window: str) -> str:
    """How many times faster than allowed an environment uses its error budget up."""
    good, every = _events(objective, window)
    return f"(1 - {good} / {every}) / {objective.budget:g}"


def bad_events(objective: Objective, window: str) -> str:
    """How many events of the window were bad; the series hold events a second and are recorded once a minute."""
    good, every = _events(objective, window)
    return f"({every} - {good}) * 60"
