"""`rollout` tries what a stage sends in a stack that works, and says what does not arrive."""

from __future__ import annotations

import json

import pytest

from telemetry.stages import STAGES
from tests.stack.conftest import Pipeline

OWN = {"TELEMETRY_USER_KEY": "a key of the deployment's", "SENTRY_ENVIRONMENT": "production"}
SENT = {
    "development": ["spans", "metrics", "errors"],
    "staging": ["spans", "metrics", "errors"],
    "canary-sentry": ["errors"],
    "canary-metrics": ["metrics", "errors"],
    "canary-traces": ["spans", "metrics", "errors"],
    "production": ["spans", "metrics", "errors"],
}
HOPS = {"spans": "span in Jaeger", "metrics": "metric in Prometheus", "errors": "error in Sentry"}


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES])
def test_what_a_stage_sends_is_found_again_and_the_rest_is_off(pipeline: Pipeline, stage: str) -> None:
    done = pipeline.run("-m", "telemetry", "rollout", stage, "--json", **OWN)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["hop"]: check["state"] for check in json.loads(done.stdout)["checks"]}
    assert checks["Collector"] == "ok"
    assert {signal for signal, hop in HOPS.items() if checks.get(hop) == "ok"} == set(SENT[stage])
    assert {hop for hop, state in checks.items() if state == "off" and hop in HOPS} == set(HOPS) - set(SENT[stage])


def test_a_store_that_does_not_answer_is_named_and_the_exit_code_says_so(pipeline: Pipeline) -> None:
    nowhere = {"TELEMETRY_JAEGER_URL": "http://127.0.0.1:9"}
    done = pipeline.run("-m", "telemetry", "rollout", "production", "--wait", "1", **OWN, **nowhere)
    assert done.returncode == 1
    assert "BROKEN span in Jaeger" in " ".join(done.stdout.split())
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
