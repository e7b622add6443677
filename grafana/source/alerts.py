"""An alert: one object, from which its rules for Prometheus and for Grafana are written.

Texts hold `<value>`, `<limit>`, `<for>` and `<window>`, the rule's own numbers, and `<LABEL>` for a series' label.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CRITICAL", "WARNING", "Alert", "Level", "Place", "Rule", "seconds"]

WARNING, CRITICAL = "warning", "critical"
_INTERVAL = "30s"
"""How often a rule is evaluated; Grafana wants a multiple of ten seconds."""
_INTERVALS = {"processes": "10s"}
"""Of areas in which a death is to be told within two minutes."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WORDS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_PLACEHOLDER = re.compile(r"<(\w+)>")
_IN_TEMPLATE = {
    "percent": "humanizePercentage", "seconds": "humanizeDuration", "usd": 'printf "%.2f USD"',
    "count": 'printf "%.0f"', "times": 'printf "%.1f"',
}  # fmt: skip
_IN_PYTHON: dict[str, Callable[[float], str]] = {
    "percent": lambda limit: f"{limit * 100:g}%",
    "seconds": lambda limit: f"{limit:g} s",
    "usd": lambda limit: f"{limit:.2f} USD",
    "count": lambda limit: f"{limit:g}",
    "times": lambda limit: f"{limit:g}",
}


@dataclass(frozen=True)
class Place:
    """The panel that shows the same thing; `row` where a dashboard has two of one title."""

    dashboard: str
    panel: str
    row: str = ""


@dataclass(frozen=True)
class Level:
    """From which `limit` on, held for how long, an alert has this severity.

    `windows` are the long and the short one of a burn rate.
    """

    severity: str
    limit: float
    hold: str
    windows: tuple[str, str] | None = None


@dataclass(frozen=True)
class Alert:
    """One cause to tell somebody, with all its levels.

    `area` is what notifications are grouped by, `concerns` who is told, `unless` the alerts that make this one
    superfluous: it stays silent while one of them fires.
    """

    name: str
    area: str
    concerns: str
    unit: str
    summary: str
    description: str
    runbook: str
    place: Place
    ask: Callable[[Level], str]
    levels: tuple[Level, ...]
    unless: tuple[str, ...] = ()
    told_apart_by: tuple[str, ...] = ()
    """Labels, besides the environment, of which each value is a case of its own."""
    of_environment: bool = True
    """False for what all environments share, as the Collector."""
    no_data: str = "OK"
    """Grafana's state where the query answers nothing: that is the normal case, silence has rules of its own."""
    broken: str = "Error"
    """Grafana's state where the query fails: it tells so, by an alert of that name."""

    def rules(self) -> tuple[Rule, ...]:
        """Return a rule for each level."""
        return tuple(Rule(self, level) for level in self.levels)


@dataclass(frozen=True)
class Rule:
    """One level of an alert, as it is evaluated."""

    alert: Alert
    level: Level

    @property
    def name(self) -> str:
        """A name of its own: Grafana wants one for each rule of a folder."""
        window = self.level.windows[0] if self.level.windows else ""
        return f"{self.alert.name}{self.level.severity.title()}{window}"

    @property
    def uid(self) -> str:
        """Grafana's identifier, the same for ever."""
        return re.sub(r"(?<=[a-z])(?=[A-Z0-9])", "-", self.name).lower()

    @property
    def interval(self) -> str:
        """How often it is evaluated, with all others of its area."""
        return _INTERVALS.get(self.alert.area, _INTERVAL)

    @property
    def expr(self) -> str:
        """PromQL that answers something only where the alert's condition holds."""
        return self.alert.ask(self.level)

    @property
    def labels(self) -> dict[str, str]:
        """What notifications are routed, grouped and silenced by."""
        alert = self.alert
        return {"alert": alert.name, "area": alert.area, "concerns": alert.concerns, "severity": self.level.severity}

    def text(self, template: str, value: str) -> str:
        """Fill a text in; `value` is the template language's expression of the value."""
        level, unit = self.level, self.alert.unit
        known = {
            "value": f"{{{{ {value} | {_IN_TEMPLATE[unit]} }}}}",
            "limit": _IN_PYTHON[unit](level.limit),
            "for": _in_words(level.hold),
            "window": _in_words(level.windows[0]) if level.windows else "",
        }
        aliases = {"environment": "deployment_environment_name", "process": "instance"}

        def filled(match: re.Match[str]) -> str:
            word = match[1]
            return known.get(word) or f"{{{{ $labels.{aliases.get(word, word)} }}}}"

        return _PLACEHOLDER.sub(filled, template)


def seconds(duration: str) -> int:
    """Convert `5m` to 300."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _in_words(duration: str) -> str:
    number, unit = int(duration[:-1]), _WORDS[duration[-1]]
    return f"{number} {unit if number > 1 else unit.removesuffix('s')}"
