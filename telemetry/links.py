"""Links into Grafana's Explore: the one place that knows the form of its addresses.

The time range is absolute always, so that a link opened days later shows what it showed at first.

Form: Grafana 10 to 12, `schemaVersion=1`; what a query holds is the data source's own matter.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["explore", "metrics", "spans", "trace"]

Source = Literal["prometheus", "tempo", "jaeger"]


def trace(trace_id: str, source: Literal["tempo", "jaeger"]) -> dict[str, str]:
    """Ask a trace store for one trace, by its 32 hexadecimal digits."""
    # Jaeger takes a query without a type for the id of a trace, Tempo one in its language.
    return {"query": trace_id} | ({"queryType": "traceql"} if source == "tempo" else {})


def spans(key: str, value: str, source: Literal["tempo", "jaeger"], *, service: str) -> dict[str, str]:
    """Ask a trace store for the spans with an attribute; Jaeger knows them by their service only."""
    if source == "tempo":
        return {"query": f'{{ span.{key} = "{value}" }}', "queryType": "traceql"}
    return {"queryType": "search", "service": service, "tags": f"{key}={value}"}


def metrics(promql: str) -> dict[str, str | bool]:
    """Ask Prometheus for a graph."""
    return {"expr": promql, "range": True, "instant": False}


def explore(grafana: str, query: Mapping[str, object], *, source: Source, at: float, around: float = 600.0) -> str:
    """Return the address of a query in Explore, `around` seconds before and after `at` (Unix seconds).

    `grafana` is its address, `source` the uid of the data source, which is its type too; `query` comes from `trace`,
    `spans`, `metrics`, or is the data source's own.
    """
    pane = {
        "datasource": source,
        "queries": [{"refId": "A", "datasource": {"type": source, "uid": source}, **query}],
        "range": {"from": str(int((at - around) * 1000)), "to": str(int((at + around) * 1000))},
    }
    panes = json.dumps({"a": pane}, separators=(",", ":"))
    return f"{grafana.rstrip('/')}/explore?{urlencode({'schemaVersion': 1, 'orgId': 1, 'panes': panes})}"
