"""`python -m telemetry settings` and `catalog`: what is in force, and every metric, for people and for programs."""

from __future__ import annotations

import json
import re

import pytest

from telemetry import settings_table
from telemetry.catalog import CATALOG, Metric
from telemetry.cli import main


def test_what_is_set_is_shown_and_what_is_refused_is_not_in_force() -> None:
    environ = {"TELEMETRY_SLOW_QUERY": "0.5", "TELEMETRY_SLOW_REQUEST": "fast", "OTEL_BSP_SCHEDULE_DELAY": "7"}
    text = settings_table.plain(environ)
    assert "TELEMETRY_SLOW_QUERY=0.5  (set)\n" in text
    assert "TELEMETRY_SLOW_REQUEST=3\n" in text
    assert "OTEL_BSP_SCHEDULE_DELAY=7  (set)\n" in text
    assert text.splitlines()[-1].startswith("! TELEMETRY_SLOW_REQUEST must be a number of seconds above 0")


@pytest.mark.parametrize("name", ["SENTRY_DSN", "TELEMETRY_SENTRY_TOKEN", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"])
def test_a_secret_is_never_shown(name: str) -> None:
    value = "https://hidden@host/1" if name == "SENTRY_DSN" else "x=hidden"
    text = settings_table.plain({name: value})
    assert "hidden" not in text
    assert f"{name}=a value that is not printed  (set)" in text


def test_the_catalog_is_printed_in_80_columns_with_its_sum(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["catalog"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    total = sum(metric.series_bound for metric in CATALOG.values())
    assert lines[-1] == f"{len(CATALOG)} metrics, at most {total:,} series a process"


@pytest.mark.parametrize("metric", CATALOG.values(), ids=lambda metric: metric.prometheus)
def test_each_metric_is_printed_with_all_that_is_known(metric: Metric, capsys: pytest.CaptureFixture[str]) -> None:
    main(["catalog"])
    part = f"\n{capsys.readouterr().out}".partition(f"\n{metric.prometheus}\n")[2]
    text = " ".join(re.split(r"\n(?! )", part)[0].split())
    assert text.startswith(metric.description)
    assert f"{metric.kind}, unit {metric.unit}, at most {metric.series_bound:,} series" in text
    assert all(f"{label.name}: " in text for label in metric.labels)


def test_the_catalog_as_json_holds_the_labels_in_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    main(["catalog", "--json"])
    found = {entry["prometheus"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert set(found) == {metric.prometheus for metric in CATALOG.values()}
    assert [label["name"] for label in found["http_requests_total"]["labels"]] == ["method", "endpoint", "status"]
    assert found["http_request_duration_seconds"]["buckets"] == [0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10]
