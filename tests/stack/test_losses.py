"""`losses` tells to the unit what became of all that the demo and the Collector made."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from grafana.source.collector import lost
from tests.stack.conftest import Pipeline
from tests.stack.stack_helpers import eventually


def hops(pipeline: Pipeline) -> dict[tuple[str, str], dict[str, Any]]:
    done = pipeline.run("-m", "telemetry", "losses", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return {(hop["signal"], hop["hop"]): hop for hop in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def quiet(pipeline: Pipeline, demo: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The hops, once the Collector's own numbers are of a moment when nothing was on its way."""
    found = hops(pipeline)
    for _ in range(20):
        if all(hop["unaccounted"] == 0 for (signal, _), hop in found.items() if signal in ("spans", "metrics")):
            break
        time.sleep(3)
        found = hops(pipeline)
    return found


@pytest.mark.parametrize("hop", ["application", "Collector otlp_http/jaeger"])
def test_each_span_of_the_demo_is_accounted_for_at(hop: str, quiet: dict[tuple[str, str], dict[str, Any]]) -> None:
    found = quiet["spans", hop]
    assert found["took"] > 100
    assert found["unaccounted"] == 0
    assert found["dropped"] == {}


def test_what_the_applications_sent_the_collector_took(quiet: dict[tuple[str, str], dict[str, Any]]) -> None:
    sent, taken = quiet["spans", "application"]["handed_on"], quiet["spans", "Collector otlp_http/jaeger"]["took"]
    assert taken >= sent > 0


def test_each_metric_point_of_applications_and_of_the_collector_itself_is_accounted_for(
    quiet: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert quiet["metrics", "Collector otlp_http/loop"]["took"] > quiet["metrics", "application"]["handed_on"] > 0
    assert {hop["unaccounted"] for (signal, _), hop in quiet.items() if signal == "metrics"} == {0}


def test_the_table_is_80_columns_wide(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    done = pipeline.run("-m", "telemetry", "losses", "--since", "30m")
    assert done.returncode == 0
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert "Collector otlp_http/loop" in done.stdout


def test_where_prometheus_does_not_answer_it_says_so(pipeline: Pipeline) -> None:
    done = pipeline.run("-m", "telemetry", "losses", TELEMETRY_PROMETHEUS_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "http://127.0.0.1:9 does not answer" in " ".join(done.stderr.split())


def test_an_outage_that_ends_well_is_no_loss_in_the_command_or_on_the_dashboard(pipeline: Pipeline) -> None:
    prometheus = pipeline.stack.process("prometheus")
    prometheus.suspend()
    time.sleep(20)  # values come every 5 s and a sending waits up to 10: shorter, and none need have failed
    prometheus.resume()
    failures = "sum(otelcol_exporter_send_failed_metric_points_total)"
    assert eventually(lambda: pipeline.prometheus.scalar(failures), seconds=30) > 0
    query = f"sum ({lost('metric_points')})".replace("$__range", "5m")
    assert pipeline.prometheus.scalar(query) == 0
    assert hops(pipeline)["metrics", "Collector otlp_http/loop"]["dropped"] == {}
