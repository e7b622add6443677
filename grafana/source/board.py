"""A dashboard: rows of panels laid on the grid, the variables, annotations and links that all of them share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard

from grafana.source.panels import PROMETHEUS
from grafana.source.promql import LONG, LONG_SECONDS

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Panel, VariableModel

__all__ = ["FOLDER", "TAG", "Board", "Row", "environment", "instance", "label_variable", "recorded", "text_variable"]

FOLDER = "Health Agent"
"""The folder's title in grafana/provisioning/dashboards; no dashboard may have the same."""
TAG = "health-agent"
COLUMNS = 24
_NAMED = 'deployment_environment_name!=""'


@dataclass(frozen=True)
class Row:
    """A heading and the panels below it, all of one height; a panel's width is a share of 24."""

    title: str
    height: int
    panels: tuple[tuple[int, Panel], ...]


@dataclass(frozen=True)
class Board:
    """One dashboard; `uid` is the name of its file."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[VariableModel, ...]
    since: str = "now-1h"
    refresh: str = "30s"
    annotated: bool = field(default=True)

    def to_json(self) -> str:
        """Write it as Grafana's JSON, the same text for the same dashboard."""
        plain = json.loads(json.dumps(self._model(), cls=JSONEncoder))
        plain["annotations"] = {"list": [_ALERTS, *([_DEPLOYMENTS] if self.annotated else [])]}
        return json.dumps(plain, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def _model(self) -> dashboard.Dashboard:
        builder = build.Dashboard(self.title).uid(self.uid).description(self.description).tags([TAG])
        builder = builder.time(self.since, "now").refresh(self.refresh).timezone("browser").readonly()
        builder = builder.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        model = builder.build()
        model.panels = list(_laid_out(self.rows))
        model.templating = dashboard.DashboardDashboardTemplating(list(self.variables))
        model.links = [_others()]
        return model


def _laid_out(rows: tuple[Row, ...]) -> list[Panel | dashboard.RowPanel]:
    """Give each panel its place and number."""
    laid: list[Panel | dashboard.RowPanel] = []
    y = 0
    for row in rows:
        place = dashboard.GridPos(h=1, w=COLUMNS, x=0, y=y)
        laid.append(dashboard.RowPanel(title=row.title, grid_pos=place, id_val=len(laid) + 1, panels=[]))
        y, x = y + 1, 0
        for width, panel in row.panels:
            if x + width > COLUMNS:
                y, x = y + row.height, 0
            panel.grid_pos = dashboard.GridPos(h=row.height, w=width, x=x, y=y)
            panel.id_val = len(laid) + 1
            laid.append(panel)
            x += width
        y += row.height
    return laid


def label_variable(name: str, label: str, query: str, *, every: bool = True) -> VariableModel:
    """Offer the values of a label, found by `query`; `every` allows several of them, and all."""
    definition: dict[str, object] = {
        "qryType": 1,
        "query": query,
        "refId": "PrometheusVariableQueryEditor-VariableQuery",
    }
    builder = build.QueryVariable(name).label(label).datasource(PROMETHEUS).query(definition)
    builder = builder.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
    builder = builder.sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    if every:
        everything = dashboard.VariableOption(selected=True, text="All", value="$__all")
        builder = builder.multi(True).include_all(True).all_value(".*").current(everything)
    return builder.build()


def recorded() -> VariableModel:
    """Turn `.+` where the range is long, else stay empty; nobody needs to see it. See `Queries.rate`."""
    query = f'query_result(label_replace(vector($__range_s) > {LONG_SECONDS}, "long", ".+", "", ""))'
    variable = label_variable(LONG, "Recorded", query, every=False)
    variable.query = {"qryType": 3, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    variable.regex, variable.hide = '/long="([^"]+)"/', dashboard.VariableHide.HIDE_VARIABLE
    variable.skip_url_sync = True  # the next dashboard decides by its own range
    return variable


def text_variable(name: str, label: str, value: str = "") -> VariableModel:
    """Offer a field to type into."""
    return build.TextBoxVariable(name).label(label).default_value(value).build()


def environment() -> VariableModel:
    """Choose between development, staging and production."""
    query = f"label_values(target_info{{{_NAMED}}}, deployment_environment_name)"
    return label_variable("environment", "Environment", query)


def instance() -> VariableModel:
    """Choose between the processes of the chosen environments."""
    chosen = f'target_info{{{_NAMED}, deployment_environment_name=~"$environment"}}'
    return label_variable("instance", "Process", f"label_values({chosen}, instance)")


def _others() -> dashboard.DashboardLink:
    link = build.DashboardLink("Other dashboards").type(dashboard.DashboardLinkType.DASHBOARDS).tags([TAG])
    return link.as_dropdown(True).keep_time(True).include_vars(True).build()


_ALERTS: dict[str, Any] = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "red",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}
"""Grafana's own: an alert that names a panel is marked there when it fires and when it is over."""

_RUNNING = f'target_info{{{_NAMED}, service_version!="", deployment_environment_name=~"$environment"}}'
_DEPLOYMENTS: dict[str, Any] = {
    "datasource": {"type": "prometheus", "uid": "prometheus"},
    "enable": True,
    "expr": f"group by (service_version) ({_RUNNING}) unless group by (service_version) ({_RUNNING} offset 5m)",
    "iconColor": "blue",
    "name": "Deployments",
    "step": "60s",
    "tagKeys": "service_version",
    "textFormat": "Version {{service_version}} runs from here on",
    "titleFormat": "Deployed",
}
"""A version that did not run five minutes before."""
