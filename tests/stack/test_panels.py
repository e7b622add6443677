"""Every query of every panel against the stack after the demo; what the hard ones answer, asked of promtool."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from grafana.source import check, queries, rules
from grafana.source.collector import COLLECTOR_METRICS
from grafana.source.macros import Window, fill
from grafana.source.objectives import AVAILABILITY
from grafana.source.promql import DASHBOARD, Queries, Scope, share
from stack import build, settings
from telemetry import catalog
from tests.stack.stack_helpers import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack.conftest import Pipeline

TEN_MINUTES = Queries(Scope(period="10m"))
COMMANDS = TEN_MINUTES.total(catalog.TELEGRAM_COMMANDS)
BORN = 'telegram_commands_total{command="a"}'


def test_no_panel_is_empty_or_fails_after_the_demo(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    recorded = AVAILABILITY.recorded("all")
    eventually(lambda: pipeline.prometheus.query(recorded), seconds=90)  # the rules run once a minute
    found = check.rows(settings.ROOT, pipeline.environ)
    assert len(found) > 100
    assert [f"{row.dashboard}, {row.panel} {row.query}: {row.problem}" for row in found if row.problem] == []


def test_the_totals_on_the_overview_are_what_the_demo_sent(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    sent = {row["what"]: row["sent"] for row in demo["rows"]}
    ask = Queries(Scope(instance=f'instance=~"demo-{demo["run"]}-.*"', period="1h"))
    assert pipeline.prometheus.scalar(ask.total(catalog.HTTP_REQUESTS)) == sent["HTTP requests"]
    assert pipeline.prometheus.scalar(ask.total(catalog.TELEGRAM_MESSAGES)) == sent["Telegram updates"]


@pytest.mark.parametrize("metric", COLLECTOR_METRICS)
def test_the_collector_of_this_version_has_the_metric(pipeline: Pipeline, demo: dict[str, Any], metric: str) -> None:
    if pipeline.prometheus.query(metric):
        return
    assert "failed" in metric  # exists only once something has failed; its name stands in the program
    name = metric.removesuffix("_total").encode()
    assert name in build.binaries(settings.load())["otelcol"].read_bytes()


BUCKETS = [
    (
        f'db_query_duration_seconds_bucket{{le="{bound}", deployment_environment_name="d", instance="a", job="j"}}',
        "0+60x20",
    )
    for bound in ("0.1", "+Inf")
]


def median(days: float, instance: str = ".*") -> str:
    """Return a panel's query as it is asked for a range of so many days."""
    values = Window.last(days * 86400, 0).macros() | {"environment": ".*", "__rate_interval": "10m"}
    return fill(Queries(DASHBOARD).quantile(0.5, catalog.DB_QUERY_DURATION), values | {"instance": instance})


CASES = {
    "a percentile of a week is that of the processes": (BUCKETS, median(7), "15m", 0.05),
    "a percentile of a week is that of the chosen process": (BUCKETS, median(7, "b"), "15m", None),
    "a percentile of more than a week is recorded, without processes": (BUCKETS, median(8, "b"), "15m", 0.05),
    "a total is exact where increase() extrapolates": (
        [(BORN, "_ 0 3 7x8")], COMMANDS, "10m", 7.0,
    ),
    "a total counts what a series that ended in the period held": (
        [(BORN, "0 5 5 _x20 stale")], COMMANDS, "8m", 5.0,
    ),
    "a total starts at the period's first sample, not at the series": (
        [(BORN, "0+1x40")], COMMANDS, "30m", 9.0,
    ),
    "a total adds the processes up": (
        [(BORN, "_ 0 3 7x8"), (BORN.replace('"a"', '"b"'), "_ _ _ _ 0 0 2x5")], COMMANDS, "10m", 9.0,
    ),
    "a share without a bad event is 0": (
        [('http_requests_total{status="200"}', "0+10x20")], queries.api_failed(Scope(period="10m")), "10m", 0.0,
    ),
    "a share counts the bad ones": (
        [('http_requests_total{status="200"}', "0+9x20"), ('http_requests_total{status="500"}', "0+1x20")],
        queries.api_failed(Scope(period="10m")), "10m", 0.1,
    ),
    "a share without traffic is nothing": (
        [('http_requests_total{status="200"}', "5x20")], queries.api_failed(Scope(period="10m")), "10m", None,
    ),
    "a share of nothing known is nothing": ([], share("sum(a)", "sum(b)"), "10m", None),
    "budget is used up at twice the allowed failures": (
        [(AVAILABILITY.recorded("all"), "1000x60"), (AVAILABILITY.recorded("good"), "990x60")],
        queries.budget_left(AVAILABILITY, Scope()), "1h", -1.0,
    ),
    "a burn rate of 1 uses the budget up in the period": (
        [(AVAILABILITY.recorded("all"), "1000x60"), (AVAILABILITY.recorded("good"), "995x60")],
        queries.burn_rate(AVAILABILITY, "1h", Scope()), "1h", 1.0,
    ),
    "no process is alive two minutes after the last report": (
        [('process_cpu_time_seconds_total{instance="a"}', "1 1 1 _x30")], queries.alive(Scope()), "10m", 0.0,
    ),
    "the age of a heartbeat is the time since it": (
        [('process_cpu_time_seconds_total{instance="a"}', "1x10 _x30")], queries.heartbeat_age(Scope()), "20m", 600.0,
    ),
    "good requests are recorded": (
        [('http_requests_total{status="200"}', "0+60x20"), ('http_requests_total{status="503"}', "0+60x20")],
        AVAILABILITY.recorded("good"), "10m", 1.0,
    ),
}  # fmt: skip
"""Series a minute apart, a query, when it is asked, and what it must answer."""


@pytest.mark.parametrize(("series", "query", "at", "value"), CASES.values(), ids=CASES)
def test_prometheus_answers(
    series: list[tuple[str, str]], query: str, at: str, value: float | None, tmp_path: Path
) -> None:
    (tmp_path / "rules.yml").write_text(rules.to_yaml())
    samples = [] if value is None else [{"labels": "{}", "value": value}]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series],
        "promql_expr_test": [{"expr": f"sum(round({query}, 0.0001))", "eval_time": at, "exp_samples": samples}],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}))
    promtool = build.binaries(settings.load())["promtool"]
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
