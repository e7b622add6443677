"""What the service promises: the objectives, once, for the SLO dashboard, its recording rules and burn-rate alerts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ANSWERS", "AVAILABILITY", "BOT_ANSWER_SECONDS", "COST_PER_HOUR", "PERIOD", "Objective"]

PERIOD = "30d"
"""Over which an objective is kept; also how long Prometheus keeps metrics."""

BOT_ANSWER_SECONDS = 10
"""A message handled within this time, without an error, is answered in time; a bucket of the duration's histogram."""

COST_PER_HOUR = 5.0
"""US dollars that the models of one environment may cost in an hour before somebody is told."""


@dataclass(frozen=True)
class Objective:
    """One promise: `target` is the share of events that must be good; `key` names its recorded series."""

    key: str
    title: str
    target: float

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.target, 6)

    def recorded(self, what: str) -> str:
        """Name the series that records `good` or `all` events a second."""
        return f"slo:{self.key}_{what}:rate5m"


AVAILABILITY = Objective("api_requests", "API requests answered without a server error", 0.995)
ANSWERS = Objective("bot_answers", f"Telegram messages answered within {BOT_ANSWER_SECONDS} s", 0.95)
