"""docs/METRICS_CATALOG.md: each metric with its bounds, a query, the dashboards that show it, its alerts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grafana.source.alert_catalog import ALERTS
from grafana.source.boards import BOARDS
from telemetry.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.catalog import Label, Metric

__all__ = ["markdown"]

_HEAD = """\
# Metrics

Written by `make catalog` from `telemetry/catalog.py`; `python -m telemetry catalog` prints the same, with metrics of
your own.

Every series also has `job` (the service), `instance` (the process), `service_name` and `deployment_environment_name`.
No label holds a user, a chat, a path or a text. A value past a label's bound becomes `other` and is counted in
[telemetry_label_overflow_total](#telemetry_label_overflow_total). The number of series is the most that one process
writes: past 2,000 combinations of labels whose values are not listed, the rest become `other`. Each query is asked of
the demo by a test. To add a metric: [three lines](DEVELOPMENT_OBSERVABILITY.md#a-metric-of-your-own).
"""
_AREAS = {
    "HTTP": ("http",),
    "Telegram": ("telegram",),
    "Errors and users": ("errors", "active"),
    "Agent, models, photos": ("agent", "food"),
    "Database": ("db",),
    "External APIs": ("external",),
    "Process": ("process", "event", "work"),
    "Telemetry itself": ("telemetry",),
}
"""Which metrics stand together, by the first word of their name."""


def markdown() -> str:
    """Return the document."""
    areas = {area: [metric for metric in CATALOG.values() if _first_word(metric) in of] for area, of in _AREAS.items()}
    contents = " · ".join(f"[{area}](#{_anchor(area)})" for area in areas)
    shown = {board.title: board.to_json() for board in BOARDS}
    parts = [
        f"\n## {area}\n{''.join(_section(metric, shown) for metric in metrics)}" for area, metrics in areas.items()
    ]
    return "".join([_HEAD, f"\n{contents}\n", *parts])


def _first_word(metric: Metric) -> str:
    return metric.name.partition(".")[0]


def _anchor(heading: str) -> str:
    return heading.lower().replace(",", "").replace(" ", "-")


def _section(metric: Metric, shown: dict[str, str]) -> str:
    facts = "".join(f"- {name}: {text}\n" for name, text in _facts(metric, shown) if text)
    return f"\n### {metric.prometheus}\n\n{metric.description}\n\n{facts}\n```promql\n{metric.query}\n```\n"


def _facts(metric: Metric, shown: dict[str, str]) -> Iterator[tuple[str, str]]:
    name = re.compile(rf"\b{metric.prometheus}(_bucket|_count|_sum)?\b")
    yield "Kind", f"{metric.kind} `{metric.name}` in `{metric.unit}`, at most {metric.series_bound:,} series"
    yield from ((f"Label `{label.name}`", _values(label)) for label in metric.labels)
    yield "Buckets", ", ".join(f"{bound:g}" for bound in metric.buckets)
    yield "Shown on", ", ".join(title for title, text in shown.items() if name.search(text))
    runbook = {alert.runbook for alert in ALERTS if any(name.search(rule.expr) for rule in alert.rules())}
    yield "Alerts", ", ".join(f"[{title}](RUNBOOK.md#{_anchor(title)})" for title in sorted(runbook))


def _values(label: Label) -> str:
    if label.values:
        return ", ".join(f"`{value}`" for value in label.values)
    return f"up to {label.limit} values, the rest `other`"
