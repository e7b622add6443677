"""Ask a running stack each query of each panel, as Grafana would, and say what came back."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx
from rich.table import Table

from grafana.source.macros import Window, fill, values_of, window_of
from grafana.source.promql import LONG

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Json = Mapping[str, Any]

__all__ = ["MAY_BE_EMPTY", "Answer", "CheckRow", "rows", "table"]

MAY_BE_EMPTY = {
    ("ai_dashboard", "Time to first token"): "the health agent's answers come in one piece",
    ("ai_dashboard", "Answers of unknown price"): "each model of the demo has a price",
    ("pipeline_dashboard", "Dropped in the application, by reason"): "the demo drops nothing",
    ("pipeline_dashboard", "Labels past their bounds"): "the demo stays within them",
    ("pipeline_dashboard", "Last self-test"): "`make doctor` is no part of the demo",
}
"""Panels that are right to be empty after a demo, and why."""
_SERVICE = "health-agent"
_SHORT = "the range is short: no recorded series are read"
_NO_TEMPO = "needs Tempo, which runs with Docker only"


@dataclass(frozen=True)
class Answer:
    """What came back: how many series or rows, the last value of the first, or what is wrong."""

    series: int = 0
    last: str = ""
    error: str = ""


@dataclass(frozen=True)
class CheckRow:
    """One query of one panel, or of a variable or annotation."""

    dashboard: str
    panel: str
    query: str
    answer: Answer
    excuse: str = ""

    @property
    def problem(self) -> str:
        """Say what is wrong; an empty answer is, unless there is a reason for it."""
        return self.answer.error or ("" if self.answer.series or self.excuse else "empty")


def rows(root: Path, environ: Mapping[str, str]) -> list[CheckRow]:
    """Ask everything that the dashboards on disk ask."""
    with Backends(environ) as backends:
        given = {"conversation": backends.some_conversation(), "service": _SERVICE}
        found = []
        for path in sorted((root / "grafana" / "dashboards").glob("*.json")):
            model = json.loads(path.read_text(encoding="utf-8"))
            found += list(_board_rows(model, backends, given))
        return found


def table(found: list[CheckRow]) -> Table:
    """Show what was found."""
    drawn = Table(title="Each query of each panel, at the dashboard's own range", title_justify="left")
    for name in ("dashboard", "panel", "query", "series", "last value", ""):
        drawn.add_column(name, justify="right" if name in {"series", "last value"} else "left", no_wrap=name == "query")
    for row in found:
        verdict = f"[red]✗ {row.problem}" if row.problem else ("[green]✓" if row.answer.series else row.excuse)
        drawn.add_row(row.dashboard, row.panel, row.query, str(row.answer.series), row.answer.last, verdict)
    return drawn


def _board_rows(model: Json, backends: Backends, given: Mapping[str, str]) -> Iterator[CheckRow]:
    end, name = time.time(), model["uid"]
    values = values_of(model, given)
    whole = window_of(model, {}, end)
    for variable in model["templating"]["list"]:
        if variable["type"] == "query":
            query = fill(variable["query"]["query"], values | whole.macros())
            excuse = _SHORT if variable["name"] == LONG else ""
            yield CheckRow(name, f"variable {variable['name']}", "", backends.variable(query, whole), excuse)
    for panel in model["panels"]:
        window = window_of(model, panel, end)
        for target in panel.get("targets") or ():
            answer = backends.ask(target, values | window.macros(), window)
            excuse = MAY_BE_EMPTY.get((name, panel["title"]), "")
            if target["datasource"]["type"] == "tempo" and not backends.has_tempo:
                excuse = _NO_TEMPO
            yield CheckRow(name, panel["title"], target["refId"], answer, excuse)


class Backends:
    """Prometheus, Jaeger and, where it runs, Tempo, asked as Grafana's data sources ask them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the addresses that `python -m stack exec` gives."""
        self._prometheus = environ["TELEMETRY_PROMETHEUS_URL"]
        self._jaeger = environ["TELEMETRY_JAEGER_URL"]
        self._tempo = environ.get("TELEMETRY_TEMPO_URL")
        self._http = httpx.Client(timeout=60, trust_env=False)

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def has_tempo(self) -> bool:
        """Tell whether Tempo runs in this stack."""
        return self._tempo is not None

    def ask(self, target: Json, values: Mapping[str, str], window: Window) -> Answer:
        """Ask one target of a panel."""
        kind = target["datasource"]["type"]
        if kind == "prometheus":
            return self.promql(fill(target["expr"], values), window, instant=target["instant"])
        if kind == "jaeger":
            return self._search(target, values, window)
        return self._traceql(fill(target["query"], values), window)

    def promql(self, query: str, window: Window, *, instant: bool) -> Answer:
        """Ask Prometheus for the end of the window, or for all of it."""
        span = {"time": window.end} if instant else {"start": window.start, "end": window.end, "step": window.step}
        path = "query" if instant else "query_range"
        answer = self._http.post(f"{self._prometheus}/api/v1/{path}", data={"query": query, **span}).json()
        if answer["status"] != "success":
            return Answer(error=answer["error"])
        series = answer["data"]["result"]
        last = [(entry["value"] if instant else entry["values"][-1])[1] for entry in series]
        return Answer(len(series), f"{float(last[0]):g}" if last else "")

    def variable(self, query: str, window: Window) -> Answer:
        """Ask for the choices of a variable: `label_values(SERIES, LABEL)` or `query_result(PROMQL)`."""
        if query.startswith("query_result("):
            return self.promql(query.removeprefix("query_result(").removesuffix(")"), window, instant=True)
        series, label = query.removeprefix("label_values(").removesuffix(")").rsplit(", ", maxsplit=1)
        parameters = {"match[]": series, "start": str(window.start), "end": str(window.end)}
        found = self._http.get(f"{self._prometheus}/api/v1/label/{label}/values", params=parameters).json()
        return Answer(len(found["data"]), (found["data"] or [""])[0]) if "data" in found else Answer(error=str(found))

    def some_conversation(self) -> str:
        """Return the id of a conversation in which something failed, empty where Jaeger knows none.

        Most of what failed may have been in none: requests, an outage's jobs.
        """
        parameters = {"service": _SERVICE, "tags": '{"error": "true"}', "limit": "1000", "lookback": "1h"}
        traces = self._http.get(f"{self._jaeger}/api/traces", params=parameters).json()["data"]
        tags = [tag for trace in traces for span in trace["spans"] for tag in span["tags"]]
        return next((str(tag["value"]) for tag in tags if tag["key"] == "gen_ai.conversation.id"), "")

    def _search(self, target: Json, values: Mapping[str, str], window: Window) -> Answer:
        tags = dict(pair.split("=") for pair in fill(target["tags"], values).split())
        parameters = {
            "service": fill(target["service"], values), "tags": json.dumps(tags), "limit": target["limit"],
            "start": int(window.start * 1e6), "end": int(window.end * 1e6),
        }  # fmt: skip
        if target.get("operation"):
            parameters["operation"] = target["operation"]
        traces = self._http.get(f"{self._jaeger}/api/traces", params=parameters).json()["data"]
        return Answer(len(traces), traces[0]["traceID"][:12] if traces else "")

    def _traceql(self, query: str, window: Window) -> Answer:
        if self._tempo is None:
            return Answer()
        parameters: dict[str, str | int] = {"q": query, "start": int(window.start), "end": int(window.end)}
        answer = self._http.get(f"{self._tempo}/api/search", params=parameters)
        if not answer.is_success:
            return Answer(error=answer.text[:200])
        traces = answer.json().get("traces") or []
        return Answer(len(traces), traces[0]["traceID"][:12] if traces else "")
