"""Every dashboard keeps the rules without which Grafana shows "No data", or something nobody understands."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from grafana.source import files
from grafana.source.board import FOLDER
from grafana.source.boards import BOARDS
from grafana.source.links import RUNBOOK
from stack.settings import ROOT
from telemetry.catalog import CATALOG, Metric
from tests.unit.grafana.promql_names import metrics_in

MODELS: dict[str, dict[str, Any]] = {board.uid: json.loads(board.to_json()) for board in BOARDS}
EXPECTED = {"main", "bot", "api", "database", "ai", "pipeline", "conversation", "slo"}
UNITS = {"s": "s", "By": "bytes", "{ratio}": "percentunit"}
FIXED_TIME = {"[1h]", "[2m]", "[1h:15s]", "[1d:1m]", "[5m]", "[6h]", "[3d]", "[30d]", "[24h]"}
"""Windows that are what a query asks about, not how finely it is drawn."""

each_board = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def panels(kind: str = "") -> list[Any]:
    """Return all panels that are not headings, named by dashboard and title."""
    found = [(uid, panel) for uid, model in MODELS.items() for panel in model["panels"] if panel["type"] != "row"]
    return [
        pytest.param(panel, id=f"{uid}-{panel['id']}-{panel['title']}")
        for uid, panel in found
        if kind in ("", panel["type"])
    ]


def queries() -> list[Any]:
    """Return all PromQL of panels."""
    return [
        pytest.param(case.values[0], target["expr"], id=f"{case.id}-{target['refId']}")
        for case in panels()
        for target in case.values[0].get("targets", ())
        if "expr" in target
    ]


each_panel = pytest.mark.parametrize("panel", panels())
each_query = pytest.mark.parametrize(("panel", "query"), queries())


def test_the_dashboards_are_those_that_are_wanted() -> None:
    assert set(MODELS) == {f"{name}_dashboard" for name in EXPECTED}


def test_the_files_are_what_the_python_says() -> None:
    assert files.drift(ROOT) == []


def test_a_changed_and_a_forgotten_file_are_named(tmp_path: Any) -> None:
    files.write(tmp_path)
    assert files.drift(tmp_path) == []
    (tmp_path / "grafana/dashboards/api_dashboard.json").write_text("{}")
    (tmp_path / "grafana/dashboards/old.json").write_text("{}")
    (changed, left_over) = files.drift(tmp_path)
    assert changed.startswith("grafana/dashboards/api_dashboard.json is not up to date")
    assert left_over.startswith("grafana/dashboards/old.json")
    files.write(tmp_path)
    assert files.drift(tmp_path) == []


@each_board
def test_a_dashboard_can_be_provisioned(model: dict[str, Any]) -> None:
    text = json.dumps(model)
    assert "__inputs" not in model
    assert "id" not in model
    assert "${DS_" not in text
    assert model["title"] != FOLDER
    provider = yaml.safe_load((ROOT / "grafana/provisioning/dashboards/dashboards.yaml").read_text())
    assert provider["providers"][0]["folder"] == FOLDER


@each_board
def test_grafanas_own_schema_reads_it(model: dict[str, Any]) -> None:
    register_default_plugins()
    read = Dashboard.from_json(model)
    assert read.uid == model["uid"]
    assert len(read.panels or []) == len(model["panels"])


@each_board
def test_panels_have_numbers_of_their_own_and_do_not_overlap(model: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in model["panels"]]
    assert len(numbers) == len(set(numbers))
    cells: set[tuple[int, int]] = set()
    for panel in model["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        taken = set(itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ))  # fmt: skip
        assert not cells & taken, panel["title"]
        cells |= taken


@each_board
def test_a_row_of_panels_fills_the_width(model: dict[str, Any]) -> None:
    lines: dict[int, int] = {}
    for panel in model["panels"]:
        lines[panel["gridPos"]["y"]] = lines.get(panel["gridPos"]["y"], 0) + panel["gridPos"]["w"]
    assert set(lines.values()) == {24}


@each_board
def test_a_dashboard_answers_first_whether_it_is_well(model: dict[str, Any]) -> None:
    if model["uid"] != "conversation_dashboard":
        first = [panel["type"] for panel in model["panels"] if panel["gridPos"]["y"] == 1]
        assert set(first) <= {"stat", "gauge", "timeseries"}
        assert first[0] in {"stat", "gauge"}


@each_panel
def test_a_panel_tells_a_reader_what_it_shows_and_what_it_means_when_it_is_empty(panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert len(panel["description"]) > 15
    assert defaults["noValue"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    assert panel["options"]
    if panel["type"] != "text":
        assert panel["title"]
        assert ("unit" in defaults) is (panel["datasource"]["uid"] == "prometheus")


@each_panel
def test_a_target_has_a_letter_and_a_data_source_by_its_uid(panel: dict[str, Any]) -> None:
    letters = [target["refId"] for target in panel.get("targets", ())]
    assert letters == [chr(ord("A") + number) for number in range(len(letters))]
    for target in [panel, *panel.get("targets", ())]:
        assert target["datasource"]["uid"] in {"prometheus", "tempo", "jaeger"}
        assert target["datasource"]["type"] == target["datasource"]["uid"]


@each_panel
def test_a_panel_leads_to_the_runbook_or_another_dashboard_with_time_and_variables(panel: dict[str, Any]) -> None:
    for link in panel["links"]:
        if link["url"].startswith("/d/"):
            assert link["url"].removeprefix("/d/").split("?")[0] in MODELS
            assert link["url"].endswith("?${__url_time_range}&${__all_variables}")
        else:
            assert re.match(rf"{re.escape(RUNBOOK)}#[a-z-]+:~:text=", link["url"])
            assert link["targetBlank"]


@each_query
def test_a_window_follows_the_range_unless_it_is_what_is_asked_about(panel: dict[str, Any], query: str) -> None:
    windows = set(re.findall(r"\[[^\]]*\]", query)) - {"[$__rate_interval]", "[$__range]"}
    assert windows <= FIXED_TIME
    if "$__range" in query:
        assert all(target["instant"] for target in panel["targets"] if "$__range" in target["expr"])


@each_query
def test_a_query_follows_the_chosen_environment(panel: dict[str, Any], query: str) -> None:
    own = "otelcol_" in query
    assert own or '=~"$environment"' in query


def shown(query: str) -> Metric | None:
    """Return the metric whose own values a query shows, if it is one."""
    names = {name.removesuffix("_bucket") for name in metrics_in(query)}
    found = [metric for metric in CATALOG.values() if metric.prometheus in names]
    own = "histogram_quantile" in query or "_bucket" in query or (found and found[0].kind in {"gauge", "updowncounter"})
    return found[0] if len(found) == 1 and own and "/" not in query else None


@each_query
def test_a_metrics_own_values_have_the_catalogs_unit(panel: dict[str, Any], query: str) -> None:
    metric = shown(query)
    if metric is None or panel["type"] in {"bargauge", "table"}:
        return
    assert panel["fieldConfig"]["defaults"]["unit"] == UNITS.get(metric.unit, "short")


@pytest.mark.parametrize("panel", panels("heatmap"))
def test_a_heatmap_reads_the_buckets_of_a_histogram(panel: dict[str, Any]) -> None:
    (target,) = panel["targets"]
    assert target["format"] == "heatmap"
    assert target["legendFormat"] == "{{le}}"
    assert target["expr"].startswith("sum by (le) (rate(")
    assert panel["options"]["calculate"] is False


@pytest.mark.parametrize("panel", [*panels("table"), *panels("barchart")])
def test_a_table_has_named_columns_and_no_time(panel: dict[str, Any]) -> None:
    if panel["datasource"]["uid"] != "prometheus":
        return
    assert all(target["format"] == "table" and target["instant"] for target in panel["targets"])
    (organized,) = [shape for shape in panel["transformations"] if shape["id"] == "organize"]
    assert organized["options"]["excludeByName"]["Time"]
    names = list(organized["options"]["renameByName"].values())
    assert len(names) == len(set(names))


@pytest.mark.parametrize("panel", panels("timeseries"))
def test_a_line_has_a_name_and_an_exemplar_only_where_there_are_buckets(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert target["legendFormat"] != "__auto"
        assert not target["exemplar"] or "_bucket" in target["expr"]


PLANNED = {
    "main_dashboard": [
        ("Error Rate (errors/min)", "timeseries"), ("Request Latency (p50, p95, p99)", "timeseries"),
        ("Active Users (last hour)", "stat"), ("Total Requests Today", "stat"),
        ("Token Usage (OpenAI + Anthropic)", "barchart"), ("Top Errors (last 24h)", "table"),
        ("Food Photos Processed", "stat"), ("Agent Response Time Distribution", "heatmap"),
    ],
    "bot_dashboard": [
        ("Messages per Minute", "timeseries"), ("Message Type Distribution (text/photo/voice)", "piechart"),
        ("Error Rate by Handler", "timeseries"), ("Response Time by Message Type", "timeseries"),
        ("Top Commands Used", "barchart"), ("User Engagement (messages per user)", "bargauge"),
    ],
    "database_dashboard": [
        ("Query Count (by type)", "timeseries"), ("Query Latency (p50, p95, p99)", "timeseries"),
        ("Connection Pool Usage", "gauge"), ("Slow Queries (>100ms)", "table"), ("Database Size", "stat"),
        ("Active Connections", "timeseries"),
    ],
}  # fmt: skip
"""Titles and kinds of the plan's section 5.2. Grafana draws a histogram that is stored as buckets as a bar gauge."""


@pytest.mark.parametrize("uid", PLANNED)
def test_each_planned_panel_is_there_as_planned(uid: str) -> None:
    assert set(PLANNED[uid]) <= {(panel["title"], panel["type"]) for panel in MODELS[uid]["panels"]}
