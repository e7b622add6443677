"""docs/rollout.md: its commands run, its tables are what the code says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from telemetry import cost
from telemetry.cli import main
from telemetry.stages import STAGES, Stage

DOCUMENT = (Path(__file__).parents[2] / "docs" / "rollout.md").read_text()
COMMANDS = re.findall(r"^\.venv/bin/python -m telemetry (.*?) *(?:#.*)?$", DOCUMENT, re.MULTILINE)
SIZES = ((1_000, 200), (100_000, 20_000), (5_000_000, 1_000_000))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_document_runs(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SENTRY_DSN", "TELEMETRY_USER_KEY", "OTEL_EXPORTER_OTLP_HEADERS"):
        monkeypatch.setenv(name, "https://key@host/1" if name == "SENTRY_DSN" else "a=key of 16 characters")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out


def stage_row(stage: Stage) -> str:
    on = ["on" if signal in stage.signals else "off" for signal in ("sentry", "metrics")]
    traces = f"{stage.ratio:.0%}" if "tracing" in stage.signals else "off"
    stay = f"{stage.days} days" if stage.days else ""
    return f"| `{stage.name}` | {stage.environment} | {' | '.join(on)} | {traces} | {stay} | {stage.well_if} |"


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_table_has_each_stage_as_it_is(stage: Stage) -> None:
    assert stage_row(stage) in DOCUMENT.splitlines()


def cost_row(requests: float, updates: float) -> str:
    found = cost.estimate(cost.Traffic(requests, updates, users=1))
    sizes = [cost.size(found.disk_of_30_days), f"{found.spans:,.0f}", cost.size(found.span_bytes)]
    sentry = [f"{found.sentry_events_a_month:,.0f}", f"{found.sentry_transactions_a_month:,.0f}"]
    cells = [f"{requests:,}, {updates:,}", f"{found.series:,.0f}", f"{found.samples_per_second:,.0f}", *sizes, *sentry]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("traffic", SIZES, ids=str)
def test_the_table_of_costs_is_what_the_command_says(traffic: tuple[int, int]) -> None:
    assert cost_row(*traffic) in DOCUMENT.splitlines()


@pytest.mark.parametrize(("name", "value"), list(vars(cost.RATES).items()))
def test_each_rate_of_the_estimate_stands_in_the_document(name: str, value: float) -> None:
    assert f"| `{name}` | {value:g} |" in DOCUMENT
