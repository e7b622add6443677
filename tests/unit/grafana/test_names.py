"""Metrics and labels of dashboards, rules, data sources and documents are the catalog's, and all of it is shown."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from grafana.source import alert_catalog, rules
from grafana.source.boards import BOARDS
from grafana.source.collector import COLLECTOR_METRICS, REMOTE_WRITE_METRICS
from stack.settings import ROOT
from telemetry.catalog import CATALOG
from tests.documents import DOCUMENTS
from tests.unit.grafana.promql_names import labels_in, metrics_in

COMMON = {"deployment_environment_name", "instance", "job", "service_name", "le"}
"""Labels that the way to Prometheus adds."""
SUFFIXES = ("", "_bucket", "_count", "_sum")
OURS = {metric.prometheus + suffix: metric for metric in CATALOG.values() for suffix in SUFFIXES}
KNOWN = {name: {label.name for label in metric.labels} for name, metric in OURS.items()} | {
    name: set(labels) for name, labels in (COLLECTOR_METRICS | REMOTE_WRITE_METRICS).items()
}
RECORDED = {name: labels_in(query) - COMMON for name, query in rules.RULES.items()}


def in_dashboards() -> dict[str, str]:
    found = {}
    for board in BOARDS:
        model = json.loads(board.to_json())
        for panel in model["panels"]:
            for target in panel.get("targets", ()):
                if "expr" in target:
                    found[f"{board.uid}-{panel['id']}-{target['refId']}"] = target["expr"]
        for annotation in model["annotations"]["list"]:
            if "expr" in annotation:
                found[f"{board.uid}-{annotation['name']}"] = annotation["expr"]
    return found


def in_data_sources() -> dict[str, str]:
    content = yaml.safe_load((ROOT / "grafana/provisioning/datasources/datasources.yaml").read_text())
    (jaeger,) = [source for source in content["datasources"] if source["name"] == "Jaeger"]
    entries = jaeger["jsonData"]["tracesToMetrics"]["queries"]
    return {entry["name"]: re.sub(r"\$\$(__tags|\{.*?\})", "", entry["query"]) for entry in entries}


QUERIES = in_dashboards() | in_data_sources() | rules.RULES | {rule.name: rule.expr for rule in alert_catalog.RULES}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_a_query_names_only_metrics_and_labels_that_exist(query: str) -> None:
    known = KNOWN | RECORDED
    metrics = metrics_in(query)
    assert metrics
    assert metrics <= set(known)
    assert labels_in(query) - {""} <= COMMON.union(*(known[metric] for metric in metrics))


@pytest.mark.parametrize("metric", CATALOG.values(), ids=lambda metric: metric.name)
def test_each_metric_of_the_catalog_is_shown_somewhere(metric: object) -> None:
    shown = set().union(*(metrics_in(query) for query in in_dashboards().values()))
    assert any(OURS[name] is metric for name in shown & set(OURS))


@pytest.mark.parametrize("name", [*COLLECTOR_METRICS, *REMOTE_WRITE_METRICS, *RECORDED])
def test_a_name_that_is_listed_is_used(name: str) -> None:
    assert any(name in metrics_in(query) for query in QUERIES.values())


def test_documents_name_only_metrics_that_exist() -> None:
    pattern = re.compile(r"`([a-z_]+_(?:total|seconds|bytes|ratio))(?:\{([^}]*)\})?`")
    for document in DOCUMENTS:
        if document.name == "migrate-from-prometheus-client.md":
            continue  # names what was there before
        assert {name for name, _ in pattern.findall(document.read_text())} <= set(KNOWN) | {"http_requests_total"}


def test_the_reader_of_promql_finds_what_is_there() -> None:
    query = 'sum by (le, a) (rate(x_total{b="c_total", d=~"e"}[5m])) / (y > 0) or 0 * slo:z:rate5m'
    assert metrics_in(query) == {"x_total", "y", "slo:z:rate5m"}
    assert labels_in(query) == {"le", "a", "b", "d"}
