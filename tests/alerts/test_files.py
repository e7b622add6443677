"""What is written from the alerts: for Grafana, Prometheus and Alertmanager, and for the people they tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from grafana.source import alert_files, alert_routes, watchdog
from grafana.source.alert_catalog import ALERTS, REMOVED, RULES
from grafana.source.alerts import Alert, Place, Rule
from grafana.source.boards import BOARDS
from stack.settings import ROOT

FILES = alert_files.rendered()
GRAFANA = yaml.safe_load(FILES["grafana/provisioning/alerting/rules.yaml"])
IN_GRAFANA = {rule["title"]: rule for group in GRAFANA["groups"] for rule in group["rules"]}
IN_PROMETHEUS = {rule["alert"]: rule for group in alert_files.prometheus_rules()["groups"] for rule in group["rules"]}
INHIBITED = alert_routes.alertmanager()["inhibit_rules"]
SECTIONS = re.findall(r"^## (.*)$", (ROOT / "docs/RUNBOOK.md").read_text(), re.MULTILINE)

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)


def unescaped(text: str) -> str:
    """Do what Grafana does to the file: `$$` stays as `$`, a variable is filled in."""
    return re.sub(r"\$\$|\$\{GRAFANA_URL\}", lambda match: "$" if match[0] == "$$" else "http://grafana", text)


@each_rule
def test_prometheus_and_grafana_ask_the_same(rule: Rule) -> None:
    there, here = IN_GRAFANA[rule.name], IN_PROMETHEUS[rule.name]
    assert unescaped(there["data"][0]["model"]["expr"]) == here["expr"]
    assert (there["for"], there["labels"]) == (here["for"], here["labels"])


@each_rule
def test_both_states_are_explicit_and_a_broken_query_is_told(rule: Rule) -> None:
    assert IN_GRAFANA[rule.name]["noDataState"] == "OK"
    assert IN_GRAFANA[rule.name]["execErrState"] == "Error"


@each_rule
def test_a_firing_rule_leads_to_its_panel_to_explore_and_to_the_runbook(rule: Rule) -> None:
    for place in (IN_GRAFANA, IN_PROMETHEUS):
        told = {name: unescaped(text) for name, text in place[rule.name]["annotations"].items()}
        assert re.match(r"http://[^/]+/d/\w+\?from=.+&to=.+&viewPanel=\d+$", told["dashboard_url"])
        assert re.match(r"http://[^/]+/explore\?schemaVersion=1&.*from.*to", told["explore_url"])
        assert told["runbook_url"].startswith("http://")
        assert len(told["summary"]) < 250
    assert rule.alert.runbook in SECTIONS
    shown = IN_GRAFANA[rule.name]["annotations"]
    assert shown["__dashboardUid__"] in {board.uid for board in BOARDS}
    assert int(shown["__panelId__"]) == alert_files.panel_id(rule.alert.place)


@each_rule
def test_a_text_names_only_labels_that_the_query_keeps(rule: Rule) -> None:
    text = IN_PROMETHEUS[rule.name]["annotations"]["summary"]
    for label in re.findall(r"\$labels\.(\w+)", text):
        assert re.search(rf"by \([^)]*\b{label}\b", rule.expr)
    assert "<" not in text


def test_the_text_holds_the_rules_own_numbers() -> None:
    text = IN_PROMETHEUS["ApiErrorRateCritical"]["annotations"]["summary"]
    assert text.endswith("fail: more than 5% for 5 minutes.")
    assert "{{ $value | humanizePercentage }}" in text
    burning = IN_GRAFANA["ApiBudgetBurnsCritical1h"]["annotations"]["summary"]
    assert '{{ $$values.A.Value | printf "%.1f" }} times too fast over 1 hour' in burning


def test_grafanas_file_has_no_dollar_that_it_would_fill_in_but_its_own_address() -> None:
    for path, text in FILES.items():
        if path.startswith("grafana/"):
            assert set(re.findall(r"(?<!\$)\$(?!\$)\{?\w+\}?", text.replace("$$", ""))) <= {"${GRAFANA_URL}"}


def test_identifiers_are_unique_and_short_enough_and_none_was_removed_before() -> None:
    uids = [rule["uid"] for rule in IN_GRAFANA.values()]
    assert len(set(uids)) == len(uids) == len(RULES) + 1
    assert all(re.fullmatch(r"[a-z0-9-]{1,40}", uid) for uid in uids)
    assert not set(uids) & set(REMOVED)


def test_a_removed_rule_is_deleted_in_grafana(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_files, "REMOVED", ("old-rule",))
    assert alert_files.grafana_rules()["deleteRules"] == [{"orgId": 1, "uid": "old-rule"}]


def test_a_rule_that_is_gone_must_be_listed_as_removed() -> None:
    """The committed list of all that ever were: a name may only be added to it."""
    ever = set((ROOT / "tests/alerts/uids.txt").read_text().split())
    assert ever == {rule.uid for rule in RULES} | {watchdog.UID} | set(REMOVED)


def test_each_alert_of_the_plan_has_a_warning_and_a_critical_level() -> None:
    levels = {alert.name: {level.severity for level in alert.levels} for alert in ALERTS}
    for name in ("ApiErrorRate", "BotErrorRate", "ApiLatency", "DatabasePoolExhausted", "ApiRateLimit"):
        assert levels[name] == {"warning", "critical"}


def inhibits(source: dict[str, str], target: dict[str, str]) -> bool:
    """Tell what Alertmanager would do with two firing alerts."""

    def matches(labels: dict[str, str], matchers: list[str]) -> bool:
        parsed = [re.fullmatch(r'(\w+)(!?=)"(.*)"', matcher) for matcher in matchers]
        return all(m and (labels.get(m[1], "") == m[3]) is (m[2] == "=") for m in parsed)

    return any(
        matches(source, rule["source_matchers"]) and matches(target, rule["target_matchers"])
        and all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
        for rule in INHIBITED
    )  # fmt: skip


def firing(alert: str, severity: str, **labels: str) -> dict[str, str]:
    return {"alert": alert, "severity": severity, "deployment_environment_name": "production"} | labels


SILENCED: dict[str, tuple[dict[str, str], dict[str, str], bool]] = {
    "a critical level silences its warning": (
        firing("ApiErrorRate", "critical"), firing("ApiErrorRate", "warning"), True),
    "but not that of another environment": (
        firing("ApiErrorRate", "critical"),
        firing("ApiErrorRate", "warning", deployment_environment_name="staging"), False),
    "nor that of another provider": (
        firing("ApiRateLimit", "critical", service="openai"), firing("ApiRateLimit", "warning", service="usda"), False),
    "a warning silences no critical level": (
        firing("ApiErrorRate", "warning"), firing("ApiErrorRate", "critical"), False),
    "a page for failing requests silences the page for their budget": (
        firing("ApiErrorRate", "critical"), firing("ApiBudgetBurns", "critical"), True),
    "a warning about failing requests does not": (
        firing("ApiErrorRate", "warning"), firing("ApiBudgetBurns", "critical"), False),
    "a pool in which requests wait silences the requests that fail for it": (
        firing("DatabasePoolExhausted", "critical", service_name="api", instance="a"),
        firing("ApiErrorRate", "critical"), True),
    "a dead Collector silences the processes it cuts off": (
        {"alert": "CollectorSilent", "severity": "critical"},
        firing("ProcessSilent", "critical", service_name="health-agent"), True),
    "a dead Collector does not silence failing requests": (
        {"alert": "CollectorSilent", "severity": "critical"}, firing("ApiErrorRate", "critical"), False),
    "a dead bot silences that it handles nothing": (
        firing("ProcessSilent", "critical", service_name="health-agent"),
        firing("BotHandlesNothing", "critical"), True),
    "a store that is away silences the first word about its queue": (
        {"alert": "ExporterStuck", "severity": "warning", "exporter": "a"},
        {"alert": "QueueFills", "severity": "warning", "exporter": "a"}, True),
    "but not that the queue is nearly full": (
        {"alert": "ExporterStuck", "severity": "warning", "exporter": "a"},
        {"alert": "QueueFills", "severity": "critical", "exporter": "a"}, False),
    "nor the queue of another store": (
        {"alert": "ExporterStuck", "severity": "critical", "exporter": "a"},
        {"alert": "QueueFills", "severity": "warning", "exporter": "b"}, False),
}  # fmt: skip


@pytest.mark.parametrize(("source", "target", "silenced"), SILENCED.values(), ids=SILENCED)
def test_nothing_pages_twice_for_one_cause(source: dict[str, str], target: dict[str, str], silenced: bool) -> None:
    assert inhibits(source, target) is silenced


@each_alert
def test_what_makes_an_alert_superfluous_is_an_alert(alert: Alert) -> None:
    assert set(alert.unless) <= {other.name for other in ALERTS} - {alert.name}


@each_alert
def test_no_alert_has_a_label_for_its_levels_that_differs_but_severity(alert: Alert) -> None:
    labels = [{**rule.labels, "severity": ""} for rule in alert.rules()]
    assert all(one == labels[0] for one in labels)


def routes(policy: dict[str, Any]) -> list[list[str]]:
    return [entry["group_by"] for entry in [policy, *policy["routes"]]]


def test_grafana_sends_one_notification_an_area_and_one_for_all_that_a_broken_source_breaks() -> None:
    (policy,) = alert_routes.grafana_policies()["policies"]
    area = ["deployment_environment_name", "area"]
    assert routes(policy) == [area, ["alertname"], ["alertname", "datasource_uid"], area, area]
    assert alert_routes.alertmanager()["route"]["group_by"] == area


def test_the_heartbeat_always_fires_and_stops_where_it_cannot_be_asked() -> None:
    there, here = IN_GRAFANA[watchdog.NAME], IN_PROMETHEUS[watchdog.NAME]
    assert there["data"][0]["model"]["expr"] == here["expr"] == "vector(1)"
    assert (there["for"], here.get("for")) == ("0s", None)
    assert (there["noDataState"], there["execErrState"]) == ("OK", "OK")


def test_with_grafana_prometheus_evaluates_and_sends_nothing_and_grafana_does_not_list_it_twice() -> None:
    prometheus = yaml.safe_load((ROOT / "collector/prometheus/prometheus.yml").read_text())
    assert "alerting" not in prometheus
    assert prometheus["rule_files"] == ["rules/*.yml"]
    sources = yaml.safe_load((ROOT / "grafana/provisioning/datasources/datasources.yaml").read_text())["datasources"]
    (source,) = [entry for entry in sources if entry["uid"] == "prometheus"]
    assert source["jsonData"]["manageAlerts"] is False


def test_a_place_that_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError, match="name one it has"):
        alert_files.panel_id(Place("api_dashboard", "Nothing"))
