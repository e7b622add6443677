"""The data sources in both modes: uids that never change, links that lead somewhere, variables that are given."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from grafana.source.links import RUNBOOK
from grafana.source.macros import EXPORT_SECONDS
from stack import appenv, lint, settings
from stack.native_environment import native_environment

FOLDER = settings.ROOT / "grafana"
BOTH, TEMPO = FOLDER / "provisioning/datasources/datasources.yaml", FOLDER / "tempo.yaml"
COMPOSE = yaml.safe_load((settings.ROOT / "compose.yaml").read_text())["services"]["grafana"]


def sources() -> dict[str, dict[str, Any]]:
    entries = [entry for path in (BOTH, TEMPO) for entry in yaml.safe_load(path.read_text())["datasources"]]
    return {entry["uid"]: entry for entry in entries}


def test_each_source_has_its_type_as_uid() -> None:
    assert {uid: entry["type"] for uid, entry in sources().items()} == {
        name: name for name in ("prometheus", "jaeger", "tempo")
    }


def test_a_span_leads_to_the_same_metrics_and_the_same_error_from_tempo_and_from_jaeger() -> None:
    tempo, jaeger = sources()["tempo"], sources()["jaeger"]
    assert tempo["jsonData"]["tracesToMetrics"] == jaeger["jsonData"]["tracesToMetrics"]
    assert tempo["correlations"] == jaeger["correlations"]


def test_grafana_expects_metrics_as_often_as_the_stacks_applications_send_them(tmp_path: Any) -> None:
    assert sources()["prometheus"]["jsonData"]["timeInterval"] == f"{EXPORT_SECONDS}s"
    found = settings.load({"STACK_DATA_DIR": str(tmp_path)})
    appenv.write(found, (), None)
    assert appenv.application_environment(found)["OTEL_METRIC_EXPORT_INTERVAL"] == f"{EXPORT_SECONDS}000"


def test_an_exemplar_opens_in_jaeger_by_explores_own_address() -> None:
    tempo, jaeger = sources()["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert tempo["datasourceUid"] == "tempo"
    address = urlsplit(jaeger["url"].replace("$$", "$"))
    assert address.path == "/explore"
    query = parse_qs(address.query)
    (pane,) = json.loads(query["panes"][0]).values()
    assert query["schemaVersion"] == ["1"]
    assert pane["queries"] == [
        {"refId": "A", "datasource": {"type": "jaeger", "uid": "jaeger"}, "query": "${__value.raw}"}
    ]


ID = "e89bb93b335a4193918f7a721646647b"


@pytest.mark.parametrize(
    ("tags", "leads"),
    [
        ([{"key": "a", "value": "b"}, {"key": "sentry.event_id", "value": ID}], True),
        ([{"value": ID, "key": "sentry.event_id"}, {"value": "b", "key": "a"}], True),
        ([{"key": "sentry.event_id", "type": "string", "value": ID}], True),
        ([{"key": "other", "value": ID}, {"key": "sentry.event_id", "value": "short"}], False),
    ],
    ids=["tempo", "value first", "jaeger", "another tag"],
)
def test_a_failed_span_leads_to_its_event_in_sentry(tags: list[dict[str, str]], leads: bool) -> None:
    (correlation,) = sources()["jaeger"]["correlations"]
    (transformation,) = correlation["config"]["transformations"]
    pattern = transformation["expression"].replace("?<", "?P<")
    found = re.search(pattern, json.dumps(tags, separators=(",", ":")))
    assert bool(found) is leads
    if found:
        url = correlation["config"]["target"]["url"].replace("$SENTRY_EVENT_URL", "http://sentry/").replace("$$", "$")
        for name, value in found.groupdict().items():
            url = url.replace(f"${{{name}}}", value)
        assert url == "http://sentry/e89bb93b-335a-4193-918f-7a721646647b"


def test_both_modes_give_grafana_every_variable_its_files_read(tmp_path: Any) -> None:
    found = settings.load({"STACK_DATA_DIR": str(tmp_path)})
    provider = FOLDER / "provisioning/dashboards/dashboards.yaml"
    common = {name for path in (BOTH, provider) for name in lint.used_variables(path.read_text())}
    assert common <= set(native_environment(found, {}, ""))
    assert common | lint.used_variables(TEMPO.read_text()) <= set(COMPOSE["environment"])


def test_docker_has_tempo_as_a_source_and_serves_the_runbook() -> None:
    mounted = {volume.split(":")[0]: volume.split(":")[1] for volume in COMPOSE["volumes"]}
    assert mounted["./grafana/tempo.yaml"] == "/etc/grafana/provisioning/datasources/tempo.yaml"
    assert mounted["./docs"] == "/usr/share/grafana" + RUNBOOK.rpartition("/")[0]
    provisioned = {path.name for path in (FOLDER / "provisioning").iterdir()}
    assert {f"./grafana/provisioning/{name}" for name in provisioned - {"datasources", "alerting"}} <= set(mounted)
