"""What Grafana puts for variables and `$__` macros before it sends a query, done here for the check and the bench.

https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from grafana.source.promql import LONG, LONG_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXPORT_SECONDS", "Window", "fill", "values_of", "window_of"]

EXPORT_SECONDS = 15
"""How often the stack's applications report; the data source's `timeInterval` says the same to Grafana."""
_POINTS = 800
"""As wide as half a screen."""
_STEPS = (15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class Window:
    """The time range of a query, in seconds, and its step."""

    start: float
    end: float
    step: int = field(default=EXPORT_SECONDS)

    @classmethod
    def last(cls, seconds: float, end: float) -> Window:
        """Take the step that Grafana takes for a range of this length."""
        step = next((step for step in _STEPS if step >= seconds / _POINTS), _STEPS[-1])
        return cls(end - seconds, end, max(step, EXPORT_SECONDS))

    def macros(self) -> dict[str, str]:
        """Return the macros of a query in this range."""
        length = f"{round(self.end - self.start)}s"
        rate = max(self.step + EXPORT_SECONDS, 4 * EXPORT_SECONDS)
        seconds = str(round(self.end - self.start))
        recorded = ".+" if self.end - self.start > LONG_SECONDS else ""
        spans = {"__range": length, "__range_s": seconds, "__rate_interval": f"{rate}s"}
        return spans | {"__interval": f"{self.step}s", LONG: recorded}


def window_of(model: Mapping[str, Any], panel: Mapping[str, Any], end: float) -> Window:
    """Return the range a panel asks for: its own, or the dashboard's."""
    since = panel.get("timeFrom") or model["time"]["from"].removeprefix("now-")
    if since == "now/d":
        midnight = datetime.fromtimestamp(end, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return Window.last(end - midnight.timestamp(), end)
    return Window.last(int(since[:-1]) * _UNITS[since[-1]], end)


def values_of(model: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return what each variable of a dashboard stands for: all, or what was typed; `given` wins."""
    values = {entry["name"]: entry.get("allValue") or entry.get("query") for entry in model["templating"]["list"]}
    return {name: value if isinstance(value, str) else ".*" for name, value in values.items()} | dict(given)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace variables and macros; KeyError names one that nobody defines."""
    return _VARIABLE.sub(lambda match: values[match[1]], text)
