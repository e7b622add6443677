"""What is written from the alerts: rules for Prometheus and Grafana, and what delivers them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import yaml

from grafana.source import watchdog
from grafana.source.alert_catalog import REMOVED, RULES
from grafana.source.alert_contacts import contact_points
from grafana.source.alert_messages import TEMPLATES, grafana_templates
from grafana.source.alert_routes import alertmanager, grafana_policies
from grafana.source.board import FOLDER
from grafana.source.boards import BOARDS
from grafana.source.links import runbook_path
from telemetry import links

if TYPE_CHECKING:
    from collections.abc import Mapping

    from grafana.source.alerts import Place, Rule

__all__ = ["grafana_rules", "panel_id", "prometheus_rules", "rendered"]

GRAFANA = "http://127.0.0.1:3000"
"""Where the links of Prometheus's alerts lead; Grafana's own take its address from GRAFANA_URL."""
_LOOKBACK = 600
_RUNBOOK = Path(__file__).resolve().parents[2] / "docs/RUNBOOK.md"
_HEADING = "# Written by `make dashboards` from grafana/source/alert_*.py.\n"


def rendered() -> dict[str, str]:
    """Render each file's text, by its path in the repository."""
    return {
        "collector/prometheus/rules/alerts.yml": _HEADING + _yaml(prometheus_rules()),
        "collector/alertmanager.yml": _HEADING + _yaml(alertmanager()),
        "collector/alertmanager.tmpl": TEMPLATES,
        "grafana/provisioning/alerting/rules.yaml": _HEADING + _escaped(_yaml(grafana_rules())),
        "grafana/provisioning/alerting/policies.yaml": _HEADING + _yaml(grafana_policies()),
        "grafana/provisioning/alerting/contact_points.yaml": _HEADING + _yaml(contact_points({})),
        "grafana/provisioning/alerting/templates.yaml": _HEADING + _yaml(grafana_templates()),
    }


@cache
def panel_id(place: Place) -> int:
    """Return the number of the panel that an alert's place names."""
    (board,) = (board for board in BOARDS if board.uid == place.dashboard)
    row = ""
    for panel in json.loads(board.to_json())["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        elif panel["title"] == place.panel and place.row in {"", row}:
            return int(panel["id"])
    raise LookupError(f"{place.dashboard} must have a panel {place.panel!r} in a row {place.row!r}; name one it has.")


def prometheus_rules() -> dict[str, Any]:
    """Return the rule file for those without Grafana's alerting."""
    groups = [_prometheus_group(area, rules) for area, rules in _by_area().items()]
    return {"groups": [*groups, watchdog.prometheus_group()]}


def _prometheus_group(area: str, rules: list[Rule]) -> dict[str, Any]:
    return {
        "name": f"alerts: {area}",
        "interval": rules[0].interval,
        "rules": [_prometheus_rule(rule) for rule in rules],
    }


def _prometheus_rule(rule: Rule) -> dict[str, Any]:
    return {
        "alert": rule.name,
        "expr": rule.expr,
        "for": rule.level.hold,
        "labels": rule.labels,
        "annotations": _annotations(rule, "$value", GRAFANA, _around_the_evaluation(_looked_at(rule))),
    }


def grafana_rules() -> dict[str, Any]:
    """Return the rules as Grafana provisions them, `$` not yet doubled."""
    groups = [_grafana_group(area, rules) for area, rules in _by_area().items()]
    heartbeat = watchdog.grafana_group(FOLDER, [_query(watchdog.EXPR), _is_there()])
    deleted = [{"orgId": 1, "uid": uid} for uid in REMOVED]
    return {"apiVersion": 1, "groups": [*groups, heartbeat], "deleteRules": deleted}


def _grafana_group(area: str, rules: list[Rule]) -> dict[str, Any]:
    listed = [_grafana_rule(rule) for rule in rules]
    return {"orgId": 1, "name": area, "folder": FOLDER, "interval": rules[0].interval, "rules": listed}


def _grafana_rule(rule: Rule) -> dict[str, Any]:
    alert = rule.alert
    dashboard, panel = alert.place.dashboard, str(panel_id(alert.place))
    shown = {"__dashboardUid__": dashboard, "__panelId__": panel}
    return {
        "uid": rule.uid,
        "title": rule.name,
        "condition": "B",
        "data": [_query(rule.expr), _is_there()],
        "for": rule.level.hold,
        "noDataState": alert.no_data,
        "execErrState": alert.broken,
        "labels": rule.labels,
        "annotations": _annotations(rule, "$values.A.Value", "${GRAFANA_URL}", _until_now(_looked_at(rule))) | shown,
        "isPaused": False,
    }


def _query(expr: str) -> dict[str, Any]:
    model = {"refId": "A", "expr": expr, "instant": True, "range": False, "intervalMs": 1000, "maxDataPoints": 1}
    return {
        "refId": "A",
        "datasourceUid": "prometheus",
        "relativeTimeRange": {"from": _LOOKBACK, "to": 0},
        "model": model,
    }


def _is_there() -> dict[str, Any]:
    """Fire for each series the query answers: the comparison is part of it, as it is for Prometheus."""
    model = {"refId": "B", "type": "math", "expression": "is_number($A) || is_inf($A)"}
    return {"refId": "B", "datasourceUid": "__expr__", "model": model}


def _looked_at(rule: Rule) -> str:
    """Return the query of the runbook's section: a rule's own, with its floors, is too long for a message."""
    text = _RUNBOOK.read_text(encoding="utf-8")
    (found,) = re.findall(
        rf"^## {re.escape(rule.alert.runbook)}\n.*?^```promql\n(.*?)\n```", text, re.MULTILINE | re.DOTALL
    )
    return str(found)


def _annotations(rule: Rule, value: str, grafana: str, span: tuple[str, str, str]) -> dict[str, str]:
    since, until, explore = span
    place = rule.alert.place
    panel = f"/d/{place.dashboard}?from={since}&to={until}&viewPanel={panel_id(place)}"
    return {
        "summary": rule.text(rule.alert.summary, value),
        "description": rule.text(rule.alert.description, value),
        "dashboard_url": grafana + panel,
        "explore_url": grafana + explore,
        "runbook_url": grafana + runbook_path(rule.alert.runbook),
    }


def _around_the_evaluation(expr: str) -> tuple[str, str, str]:
    """Return begin and end by the clock, so that the link shows the same whenever it is opened."""
    since, until = (
        f'{{{{ with query "(time() - {back}) * 1000" }}}}{{{{ . | first | value | printf "%.0f" }}}}{{{{ end }}}}'
        for back in (3600, 0)
    )
    return since, until, _explore(expr, since, until)


def _until_now(expr: str) -> tuple[str, str, str]:
    """Return the last hour: Grafana's texts know no time. Its own links in a notification name the alert's."""
    return "now-1h", "now", _explore(expr, "now-1h", "now")


def _explore(expr: str, since: str, until: str) -> str:
    address = links.explore("", links.metrics(expr), source="prometheus", at=0, around=0)
    for name, moment in (("from", since), ("to", until)):
        here, there = (quote(f'"{name}":"') + text + quote('"') for text in ("0", moment))
        address = address.replace(here, there)
    return address


def _by_area() -> dict[str, list[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in RULES:
        found.setdefault(rule.alert.area, []).append(rule)
    return found


def _escaped(text: str) -> str:
    """Double each `$`, which Grafana would fill in from the environment, but for the one variable that is meant."""
    return text.replace("$", "$$").replace("$${GRAFANA_URL}", "${GRAFANA_URL}")


def _yaml(content: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(content), width=1_000_000, sort_keys=False, allow_unicode=True)
