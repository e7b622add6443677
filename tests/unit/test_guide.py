"""The development guide's code runs and does what the guide says."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from loguru import logger as loguru_logger
from opentelemetry import trace

import telemetry
from telemetry.catalog import CATALOG
from telemetry.logs import correlate_logs
from telemetry.testing import Capture
from tests.unit.test_carrying import DOCUMENT


def code_of(section: str) -> list[str]:
    found: list[str] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text().split(f"## {section}\n")[1], re.DOTALL)
    return found


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, DOCUMENT.name, "exec"), names)  # noqa: S102 - the document's own code
    return names


@pytest.fixture
def span(telemetry_capture: Capture) -> Iterator[trace.SpanContext]:
    with telemetry.get_tracer().start_as_current_span("work") as found:
        yield found.get_span_context()


@pytest.fixture
def loggers_put_back() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
    loguru_logger.configure(patcher=lambda _: None, handlers=[])


def test_a_metric_of_ones_own_takes_three_lines(telemetry_capture: Capture) -> None:
    code = code_of("A metric of your own")[0]
    assert len(code.strip().splitlines()) == 3 + len(["import telemetry", ""])
    run(code)
    assert telemetry_capture.number("walks_total", pace="fast") == 1
    del CATALOG["walks"]


def test_new_code_is_a_span_with_what_may_leave(telemetry_capture: Capture) -> None:
    store_meal = run(code_of("Instrument new code")[0])["store_meal"]
    store_meal("7", ["soup"])
    with pytest.raises(ValueError, match="a meal needs a food"):
        store_meal("7", [])
    assert [node.attributes for node in telemetry_capture.tree()] == [{"food_count": 1}, {"food_count": 0}]
    assert [node.status for node in telemetry_capture.tree()] == ["unset", "error"]
    assert telemetry_capture.errors == []


@pytest.mark.usefixtures("loggers_put_back")
def test_logging_shows_the_trace_also_of_records_made_before_init(
    span: trace.SpanContext, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest has put its own back
    run(code_of("From a log line to its trace")[0])
    logging.setLogRecordFactory(logging.LogRecord)
    logging.getLogger("app").info("early")
    with correlate_logs("coach"):
        logging.getLogger("app").info("hello")
    ids = f"trace={trace.format_trace_id(span.trace_id)} span={trace.format_span_id(span.span_id)}"
    assert capsys.readouterr().err.splitlines() == ["INFO early trace=0 span=0", f"INFO hello {ids}"]


@pytest.mark.usefixtures("loggers_put_back")
def test_structlog_shows_the_trace(span: trace.SpanContext, capsys: pytest.CaptureFixture[str]) -> None:
    run(code_of("From a log line to its trace")[1])
    structlog.get_logger().info("hello")
    expected = {"event": "hello", "trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
    assert json.loads(capsys.readouterr().out) == expected


@pytest.mark.usefixtures("loggers_put_back")
def test_loguru_shows_the_trace(span: trace.SpanContext, capsys: pytest.CaptureFixture[str]) -> None:
    run(code_of("From a log line to its trace")[2])
    loguru_logger.info("hello")
    assert capsys.readouterr().err == f"hello trace={span.trace_id:032x}\n"
