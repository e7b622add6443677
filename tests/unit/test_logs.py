"""Log records carry the trace they were made in, through whatever handlers the application has."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from opentelemetry import trace

import telemetry
from telemetry.logs import correlate_logs
from tests.conftest import Recorded


@pytest.fixture(autouse=True)
def correlated() -> Iterator[None]:
    with correlate_logs("coach"):
        yield


def test_a_record_carries_the_ids_of_its_span(recorded: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    with telemetry.get_tracer().start_as_current_span("work") as span:
        logging.getLogger("app").warning("hello")
    (record,) = caplog.records
    context = span.get_span_context()
    assert record.otelTraceID == trace.format_trace_id(context.trace_id)  # type: ignore[attr-defined]
    assert record.otelSpanID == trace.format_span_id(context.span_id)  # type: ignore[attr-defined]
    assert (record.otelTraceSampled, record.otelServiceName) == (True, "coach")  # type: ignore[attr-defined]


def test_a_record_outside_a_trace_has_the_fields_too(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("app").warning("hello")
    formatter = logging.Formatter("%(message)s %(otelTraceID)s %(otelSpanID)s %(otelTraceSampled)s")
    assert formatter.format(caplog.records[0]) == "hello 0 0 False"


def test_no_handler_and_no_level_changes() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, logging.lastResort)
    with correlate_logs("again"):
        assert (list(root.handlers), root.level, logging.lastResort) == before


def test_a_factory_that_somebody_put_on_top_stays() -> None:
    before, handle = logging.getLogRecordFactory(), correlate_logs("again")
    below = logging.getLogRecordFactory()

    def theirs(*args: object, **kwargs: object) -> logging.LogRecord:
        return below(*args, **kwargs)

    logging.setLogRecordFactory(theirs)
    handle.close()
    assert logging.getLogRecordFactory() is theirs
    logging.setLogRecordFactory(before)
