"""The end of the demo: a table, links, and a file for tests."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.table import Table

from telemetry import links as to_explore
from telemetry.backends import Trace
from telemetry.catalog import CATALOG

from .arrivals import Arrived, Row

__all__ = ["Result", "links", "show", "write"]

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """What the demo found, as it is written for tests."""

    run: str
    instances: dict[str, str]
    ok: bool
    rows: list[Row]
    photo_trace_id: str | None
    error_event_id: str | None
    error_trace_id: str | None
    links: dict[str, str]
    problems: list[str]

    @property
    def missing(self) -> list[str]:
        """Return in words what differs."""
        different = [
            f"{row.what.strip()}: {row.sent} sent, {row.arrived} arrived in {row.where}"
            for row in self.rows
            if not row.ok
        ]
        if not self.photo_trace_id:
            different.append("no complete trace of a photo was found in Jaeger")
        if not self.error_event_id:
            different.append("no error event was found in Sentry")
        return [*self.problems, *different]


def show(console: Console, result: Result) -> None:
    """Print table, links and verdict."""
    table = Table(title="What was sent, and what arrived", title_justify="left")
    for name in ("", "sent", "arrived", "in", ""):
        table.add_column(name, justify="right" if name in {"sent", "arrived"} else "left")
    for row in result.rows:
        table.add_row(row.what, str(row.sent), str(row.arrived), row.where, "[green]✓" if row.ok else "[red]✗")
    console.print(table)
    for name, link in result.links.items():
        console.print(f"{name:>12}  {link}", soft_wrap=True, highlight=False)
    if result.photo_trace_id:
        console.print(f"{'terminal':>12}  make trace ID={result.photo_trace_id}", soft_wrap=True, highlight=False)
    for text in result.missing:
        console.print(f"[red]✗ {text}", soft_wrap=True)
    if not result.missing:
        console.print("[green]✓ everything that was sent has arrived")


def write(result: Result, path: Path) -> None:
    """Write the result as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), indent=2) + "\n")


def links(environment: Environment, run: str, arrived: Arrived) -> dict[str, str]:
    """Return addresses to open. Where a server has no web pages, the address of its API."""
    found: dict[str, str] = {}
    jaeger, prometheus = environment["TELEMETRY_JAEGER_URL"], environment["TELEMETRY_PROMETHEUS_URL"]
    grafana = environment.get("TELEMETRY_GRAFANA_URL")
    photo, event = arrived.photo_trace(), arrived.failing_event()
    if photo:
        found["photo trace"] = _page(f"{jaeger}/trace/{photo.trace_id}", f"{jaeger}/api/traces/{photo.trace_id}")
        if grafana:
            found["in Explore"] = explore_trace(grafana, photo, tempo="TELEMETRY_TEMPO_URL" in environment)
    if event:
        found["error"] = f"{environment['TELEMETRY_SENTRY_URL']}/issues/issue/{event.issue_id}/event/{event.id}/"
    query = quote(f'sum by (instance) (http_requests_total{{instance=~"demo-{run}-.*"}})')
    found["Prometheus"] = _page(f"{prometheus}/query?g0.expr={query}", f"{prometheus}/api/v1/query?query={query}")
    found["Jaeger"] = _page(f"{jaeger}/search", f"{jaeger}/api/services")
    if grafana:
        moment = photo.spans[0].start if photo else time.time()
        requests = to_explore.metrics(CATALOG["http.requests"].query)
        found["metrics"] = to_explore.explore(grafana, requests, source="prometheus", at=moment)
        found["dashboards"] = f"{grafana}/d/main_dashboard"
    return found


def explore_trace(grafana: str, trace: Trace, *, tempo: bool) -> str:
    """Return the address of a trace in Explore."""
    source: Literal["tempo", "jaeger"] = "tempo" if tempo else "jaeger"
    query = to_explore.trace(trace.trace_id, source)
    return to_explore.explore(grafana, query, source=source, at=trace.spans[0].start)


def _page(page: str, api: str) -> str:
    """Return `page` where its server has the scripts it needs, else `api`."""
    try:
        answer = httpx.get(page, timeout=5, follow_redirects=True)
    except httpx.HTTPError:
        return api
    return page if answer.is_success and "<script" in answer.text else api
