"""The committed rules and routes at another pace: every duration divided by one number, for tests that cannot wait."""

from __future__ import annotations

import re
from typing import Any

from grafana.source import alert_files
from grafana.source.alerts import seconds

_DURATION = re.compile(r"(?P<before>(?P<collectors>otelcol_\w+(?:{[^}]*})?)?[\[:]|offset )(?P<duration>\d+[smhd])\b")
_WAITS = ("group_wait", "group_interval", "repeat_interval")
_COLLECTORS_WINDOW = 12
"""Seconds that hold two of the Collector's own reports, which come every five at any pace."""
_SILENT_AFTER = 75
_SECONDS_IN_NUMBERS = {"ProcessSilent": {"> 75": _SILENT_AFTER, ">= 300": 300, "> 600": 600}}
"""Comparisons with an age, by alert."""
_LEAST_AGE = 20
"""Seconds: no process is silent before the Collector is known to be, here as at pace 1."""


def divided(duration: str, pace: float, least: float = 0) -> str:
    """Divide `5m` and the like, down to `least` seconds."""
    return f"{round(max(seconds(duration) / pace, least) * 1000)}ms"


def rules(pace: float) -> dict[str, Any]:
    """Return Prometheus's alerts; at pace 1 they are the committed ones. What burn rates read is left out."""
    found = alert_files.prometheus_rules()
    for group in found["groups"] if pace != 1 else ():
        group["interval"] = divided(group["interval"], pace)
        for rule in group["rules"]:
            rule["expr"] = _expr(rule, pace)
            if "for" in rule:
                rule["for"] = divided(rule["for"], pace)
    return found


def _expr(rule: dict[str, Any], pace: float) -> str:
    def paced(match: re.Match[str]) -> str:
        return match["before"] + divided(match["duration"], pace, _COLLECTORS_WINDOW if match["collectors"] else 0)

    expr = _DURATION.sub(paced, rule["expr"])
    ages = _SECONDS_IN_NUMBERS.get(rule["labels"]["alert"], {})
    assert not ages or any(text in expr for text in ages), f"{rule['alert']} compares with other ages now"
    for text, age in ages.items():
        expr = expr.replace(text, text.replace(str(age), f"{max(age / pace, _LEAST_AGE):g}"))
    return expr


def silent_after(pace: float) -> float:
    """Seconds after its last report at which a process is silent."""
    return max(_SILENT_AFTER / pace, _LEAST_AGE)


def routes(config: dict[str, Any], pace: float) -> dict[str, Any]:
    """Return Alertmanager's configuration with its waits divided."""
    for route in [config["route"], *config["route"]["routes"]] if pace != 1 else ():
        route.update({name: divided(route[name], pace) for name in _WAITS if name in route and route[name] != "0s"})
    return config
