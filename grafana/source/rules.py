"""The recording rules: what dashboards ask of 30 days, prepared as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from grafana.source import queries
from grafana.source.objectives import ANSWERS, AVAILABILITY
from grafana.source.promql import RECORDED, Queries, Scope

if TYPE_CHECKING:
    from telemetry.catalog import Metric

__all__ = ["OBJECTIVES", "OBJECTIVES_INTERVAL", "RATES", "RULES", "kept_labels", "recording_rules", "to_yaml"]


def kept_labels(metric: Metric) -> list[str]:
    """Return the labels that a recorded series keeps; an endpoint makes its method superfluous."""
    names = [label.name for label in metric.labels]
    return [name for name in names if name != "method" or "endpoint" not in names]


def _without_process(name: str, metric: Metric) -> str:
    suffix = name.removeprefix(metric.prometheus)
    by = ["deployment_environment_name", *(["le"] if suffix else []), *kept_labels(metric)]
    return Queries(Scope(window="5m")).rate(metric, ", ".join(by), suffix=suffix)


OBJECTIVES = {
    objective.recorded(what): queries.recorded(objective, what)
    for objective in (AVAILABILITY, ANSWERS)
    for what in ("good", "all")
}
OBJECTIVES_INTERVAL = "1m"
RATES = {f"{name}:rate5m": _without_process(name, metric) for name, metric in RECORDED.items()}
RULES = OBJECTIVES | RATES
"""Each recorded series and what it records."""


def recording_rules() -> dict[str, Any]:
    """Return the rule file's content."""
    return {"groups": [_group("objectives", OBJECTIVES_INTERVAL, OBJECTIVES), _group("rates", "5m", RATES)]}


def _group(name: str, interval: str, rules: dict[str, str]) -> dict[str, Any]:
    listed = [{"record": record, "expr": expression} for record, expression in rules.items()]
    return {"name": name, "interval": interval, "rules": listed}


def to_yaml() -> str:
    """Write the rule file."""
    return "# Written by `make dashboards` from grafana/source/rules.py.\n" + yaml.safe_dump(
        recording_rules(), width=1000
    )
