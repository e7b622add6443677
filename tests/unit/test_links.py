"""Explore links: read back as Grafana reads them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from telemetry import links

AT = 1_795_469_245.5


def pane(address: str) -> dict[str, Any]:
    query = parse_qs(urlsplit(address).query)
    assert query["schemaVersion"] == ["1"]
    (found,) = json.loads(query["panes"][0]).values()
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("source", ["tempo", "jaeger"])
def test_a_trace_opens_in_its_store_with_an_absolute_range(source: Any) -> None:
    found = pane(links.explore("http://grafana:3000/", links.trace("ab" * 16, source), source=source, at=AT))
    assert found["datasource"] == source
    assert found["queries"][0]["query"] == "ab" * 16
    assert found["queries"][0]["datasource"] == {"type": source, "uid": source}
    assert found["range"] == {"from": "1795468645500", "to": "1795469845500"}


def test_jaeger_takes_a_query_without_a_type_for_a_trace_id() -> None:
    assert "queryType" not in links.trace("ab" * 16, "jaeger")
    assert links.trace("ab" * 16, "tempo")["queryType"] == "traceql"


def test_promql_survives_the_address_unchanged() -> None:
    promql = 'sum by (a) (rate(x_total{b=~"c&d=1|é"}[5m])) * 60 + 1'
    address = links.explore("http://grafana", links.metrics(promql), source="prometheus", at=AT, around=60)
    assert address.startswith("http://grafana/explore?")
    found = pane(address)
    assert found["queries"][0]["expr"] == promql
    assert int(found["range"]["to"]) - int(found["range"]["from"]) == 120_000
