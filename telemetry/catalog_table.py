"""`python -m telemetry catalog`: every metric there is, for people in 80 columns, or as JSON."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from telemetry.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.catalog import Label, Metric

__all__ = ["as_json", "plain"]

_WIDTH = 80


def plain() -> str:
    """Return each metric under its name in Prometheus, and how many series one process can write at most."""
    metrics = sorted(CATALOG.values(), key=lambda metric: metric.prometheus)
    total = sum(metric.series_bound for metric in metrics)
    lines = [line for metric in metrics for line in _described(metric)]
    return "\n".join([*lines, f"{len(metrics)} metrics, at most {total:,} series a process"]) + "\n"


def _described(metric: Metric) -> Iterator[str]:
    yield metric.prometheus
    yield from _wrapped(metric.description)
    yield from _wrapped(f"{metric.kind}, unit {metric.unit}, at most {metric.series_bound:,} series")
    for label in metric.labels:
        yield from _wrapped(f"{label.name}: {_values(label)}")
    if metric.buckets:
        yield from _wrapped("buckets: " + ", ".join(f"{bound:g}" for bound in metric.buckets))


def _values(label: Label) -> str:
    return ", ".join(label.values) if label.values else f"up to {label.limit} values, the rest as other"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="    ", subsequent_indent="        ")


def as_json() -> str:
    """Return the metrics as a JSON list, sorted by their name in Prometheus."""
    found = sorted((_fields(metric) for metric in CATALOG.values()), key=lambda fields: str(fields["prometheus"]))
    return json.dumps(found, indent=2) + "\n"


def _fields(metric: Metric) -> dict[str, Any]:
    labels = [{"name": label.name, "values": list(label.values), "bound": label.bound} for label in metric.labels]
    return {
        "prometheus": metric.prometheus,
        "name": metric.name,
        "kind": metric.kind,
        "unit": metric.unit,
        "description": metric.description,
        "labels": labels,
        "buckets": list(metric.buckets),
        "query": metric.query,
        "series_bound": metric.series_bound,
    }
