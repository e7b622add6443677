"""Every error that Sentry shows can be opened as a trace, wherever it arose, sampled or not."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan

import telemetry
from telemetry.context import report_unhandled
from telemetry.entry import Entry, Root
from telemetry.settings import Settings
from tests.conftest import Recorded, record

ROOT = Root("work")


@pytest.fixture(params=["sampled", "not sampled"])
def set_up(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    yield from record(Settings(sentry_sample_rate=float(request.param == "sampled")))


def failure() -> ValueError:
    return ValueError("on purpose")


def outside_of_everything() -> None:
    telemetry.record_error(failure())


def in_a_span_of_the_applications_own() -> None:
    with telemetry.get_tracer().start_as_current_span("own"):
        telemetry.record_error(failure())


def handled_in_an_entry() -> None:
    entry = Entry()
    entry.start(ROOT)
    with entry:
        telemetry.record_error(failure())
    entry.end(lambda: ROOT)


def in_a_thread_that_outlives_its_entry() -> None:
    entry = Entry()
    entry.start(ROOT)
    with entry:
        thread = threading.Thread(target=contextvars.copy_context().run, args=(telemetry.record_error, failure()))
    entry.end(lambda: ROOT)
    thread.start()
    thread.join()


def unhandled() -> None:
    report_unhandled(failure())


WAYS = [outside_of_everything, in_a_span_of_the_applications_own, handled_in_an_entry,
        in_a_thread_that_outlives_its_entry, unhandled]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_an_errors_event_is_on_a_span_that_is_recorded(set_up: Recorded, way: Callable[[], None]) -> None:
    way()
    found = [span for span in set_up.spans if (span.attributes or {}).get("sentry.event_id")]
    assert {event_id(span) for span in found} == {f"{1:032x}"}
    assert len(set_up.sentry.errors) == 1
    assert set_up.metrics()["errors"] == {("other", "ValueError"): 1}


def event_id(span: ReadableSpan) -> object:
    return (span.attributes or {})["sentry.event_id"]


def test_the_span_is_in_the_trace_the_error_arose_in(set_up: Recorded) -> None:
    with telemetry.get_tracer().start_as_current_span("own") as own:
        telemetry.record_error(failure())
    traces = {span.context.trace_id for span in set_up.spans if span.context}
    assert traces == {own.get_span_context().trace_id}


def test_an_error_that_is_reported_twice_leaves_one_trace(set_up: Recorded) -> None:
    error = failure()
    for _ in range(2):
        telemetry.record_error(error)
    report_unhandled(error)
    assert len({span.context.trace_id for span in set_up.spans if span.context}) == 1
