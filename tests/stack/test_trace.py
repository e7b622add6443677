"""`trace` prints what Jaeger holds: the demo's photo, and the trace of its error by the error's id."""

from __future__ import annotations

import json
from typing import Any

from tests.stack.conftest import Pipeline


def test_a_photo_is_printed_from_the_update_to_the_insert(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    done = pipeline.run("-m", "telemetry", "trace", demo["photo_trace_id"])
    assert done.returncode == 0, done.stderr
    print(done.stdout)  # noqa: T201 - the report
    places = [
        done.stdout.find(name) for name in ("telegram.handle_photo", "vision.analyze_food", "INSERT food_entries")
    ]
    assert -1 not in places
    assert places == sorted(places)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "is not stored" not in done.stdout


def test_an_errors_id_leads_to_its_trace_and_to_its_page(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    event = demo["error_event_id"].replace("-", "")
    done = pipeline.run("-m", "telemetry", "trace", event.upper(), "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    failed = [span for span in found["spans"] if span["attributes"].get("sentry.event_id") == event]
    assert found["trace_id"] == demo["error_trace_id"]
    assert {span["status"] for span in failed} == {"error"}
    assert f"{pipeline.environ['TELEMETRY_SENTRY_URL']}/issues/event/" in failed[0]["sentry_event"]


def test_a_trace_that_is_not_there_ends_with_1(pipeline: Pipeline) -> None:
    done = pipeline.run("-m", "telemetry", "trace", "1" * 32)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not stored" in done.stderr
