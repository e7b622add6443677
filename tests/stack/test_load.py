"""`make load` in short: the generator's counts are the backends', nothing is lost, alerts say what they should.

And the estimate of `telemetry cost` for the same traffic is near what that run made.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from telemetry import cost
from telemetry.losses import Losses
from tests.stack.conftest import Pipeline

USERS, SECONDS = 20, 12
FACTOR = 1.6
"""The mix of a short run is not the one whose rates were measured; a run of 60 s is within 1.2."""


@pytest.fixture(scope="module")
def done(pipeline: Pipeline) -> subprocess.CompletedProcess[str]:
    # All of a short run is recorded, so that Jaeger's count is exact too.
    return pipeline.run("-m", "bench.load", "--users", str(USERS), "--seconds", str(SECONDS), "--ratio", "1", "--json")


@pytest.fixture(scope="module")
def report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_prometheus_has_each_request_by_route_and_status(report: dict[str, Any]) -> None:
    assert report["requests"]["on"] == report["requests_in_prometheus"]
    assert sum(report["requests"]["on"].values()) > 10 * USERS
    assert report["updates"] == report["updates_in_prometheus"]


def test_jaeger_has_each_request_where_all_are_recorded(report: dict[str, Any]) -> None:
    sampling = report["sampling"]
    assert sampling["recorded"] == sampling["of"] == sum(report["requests"]["on"].values())
    assert sum(report["failed_requests_in_jaeger"].values()) > 0


def test_nothing_is_lost(report: dict[str, Any]) -> None:
    assert report["lost"] == {}
    taken = {hop["hop"]: hop["took"] for hop in report["hops"] if hop["signal"] == "spans"}
    assert report["spans_in_jaeger"] >= taken["application"] > 1000


def test_losses_of_one_environment_are_those_of_its_applications(
    report: dict[str, Any], pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY_PROMETHEUS_URL", pipeline.environ["TELEMETRY_PROMETHEUS_URL"])
    own, nobody = (list(Losses(environment=name).hops()) for name in (report["environment"], "nobody"))
    assert {hop.signal for hop in own if hop.hop == "application"} >= {"spans", "metrics"}
    assert [hop for hop in nobody if hop.hop == "application"] == []


def test_the_rules_that_should_are_pending(report: dict[str, Any]) -> None:
    rules = {rule["rule"]: rule for rule in report["rules"]}
    assert rules["ApiErrorRateCritical"]["state"] == "pending"
    assert rules["ApiBudgetBurnsCritical1h"]["state"] in ("pending", "firing")  # its condition need hold 2 minutes
    assert [rule for rule in rules.values() if rule["rule"].startswith("Api") and not rule["ok"]] == []


def test_the_error_budget_is_the_same_in_prometheus(report: dict[str, Any]) -> None:
    used = report["error_budget_used"]
    assert used["generator"] == pytest.approx(used["prometheus"])
    assert used["generator"] > 1


def test_the_server_without_telemetry_answered_too(report: dict[str, Any]) -> None:
    assert set(report["requests"]["off"]) - {"POST /api/chat 503", "GET /api/users/{user_id}/report 200"} <= set(
        report["requests"]["on"]
    )
    assert all(seconds > 0 for seconds in report["cpu_seconds"].values())
    assert 0.2 < report["overhead"]["throughput"] < 3


def test_the_estimate_of_the_cost_is_near_what_the_run_made(report: dict[str, Any]) -> None:
    rates, requests, updates = report["rates"], sum(report["requests"]["on"].values()), sum(report["updates"].values())
    jobs = rates["traces_of_job"]
    failing = sum(report["failed_requests_in_jaeger"].values()) / (requests + updates)
    found = cost.estimate(cost.Traffic(requests, updates, USERS, jobs, failing), ratio=1)
    made = next(hop["took"] for hop in report["hops"] if (hop["signal"], hop["hop"]) == ("spans", "application"))
    series = rates["series_of_api"] + rates["series_of_bot"] + cost.RATES.series_of_collector
    assert made / FACTOR < found.spans < made * FACTOR
    assert series / FACTOR < found.series < series * FACTOR
    assert rates["bytes_per_span"] / FACTOR < found.span_bytes / found.spans < rates["bytes_per_span"] * FACTOR


def test_without_a_stack_it_says_what_to_run(pipeline: Pipeline) -> None:
    result = pipeline.run("-m", "bench.load", TELEMETRY_JAEGER_URL="")
    assert result.returncode == 2
    assert "TELEMETRY_JAEGER_URL not set: run it by `make load`" in result.stderr
