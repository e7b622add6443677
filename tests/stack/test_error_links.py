"""Errors of every kind, sampled and not: the event opens a trace that is there, and its span names the event."""

from __future__ import annotations

import uuid

import pytest

from examples.health_agent.embedded import passing_url
from telemetry.backends import Event
from tests.stack.conftest import Pipeline
from tests.stack.test_killed import wait_for

EACH = "0.000001"
"""Seconds: no error is taken for a repetition of another, though several are raised by the same line."""
KINDS = [
    "sync route", "async route", "dependency", "middleware", "background task", "handler", "job", "thread",
    "SQL error", "time-out", "cancelled", "nested", "exception group",
]  # fmt: skip


@pytest.fixture(scope="module", params=[1, 0], ids=["sampled", "not sampled"])
def events(
    request: pytest.FixtureRequest, pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Event]:
    """The events of one run, by kind."""
    run = uuid.uuid4().hex
    database = passing_url()
    environ = {"SENTRY_TRACES_SAMPLE_RATE": str(request.param), "TELEMETRY_ERROR_WINDOW": EACH}
    done = pipeline.run("-m", "tests.stack.errors_process", run, database, **environ)
    assert done.returncode == 0, done.stderr

    def find() -> dict[str, Event]:
        found = (event for issue in pipeline.sentry.issues() for event in pipeline.sentry.events(issue.id))
        return {event.tags["kind"]: event for event in found if event.tags.get("run") == run}

    wait_for(lambda: len(find()) == len(KINDS))
    return find()


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_opens_its_trace_and_the_failed_span_its_event(
    events: dict[str, Event], pipeline: Pipeline, kind: str
) -> None:
    event = events[kind]
    event_id = event.id.replace("-", "")
    assert event.trace_id is not None
    trace_id = event.trace_id
    trace = wait_for(lambda: pipeline.jaeger.trace(trace_id))
    assert trace is not None
    naming = [span for span in trace.spans if span.attributes.get("sentry.event_id") == event_id]
    assert naming
    assert any(span.error for span in naming)
    assert any(root.attributes.get("sentry.event_id") == event_id for root in trace.roots())


def test_no_kind_is_counted_twice(events: dict[str, Event]) -> None:
    assert sorted(events) == sorted(KINDS)
