"""What a test of an application sees: a tree, numbers, events; a clock that stands still, ids that count."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from opentelemetry import trace

import telemetry
from telemetry import catalog
from telemetry._runtime import current
from telemetry.entry import Root, root_span
from telemetry.testing import Capture
from tests.unit.test_carrying import DOCUMENT

ANSWERED = {"message_type": "text", "status": "success"}


def start(name: str) -> trace.Span:
    return telemetry.get_tracer().start_span(name)


def work() -> None:
    with telemetry.get_tracer().start_as_current_span("answer", attributes={"food_count": 2}):
        for name in ("first", "second"):
            with telemetry.get_tracer().start_as_current_span(name):
                start("inside").end()


def test_spans_are_a_tree_in_the_order_in_which_they_began(telemetry_capture: Capture) -> None:
    work()
    (answer,) = telemetry_capture.tree()
    assert (answer.name, answer.attributes, answer.status) == ("answer", {"food_count": 2}, "unset")
    assert telemetry_capture.outline() == "answer\n  first\n    inside\n  second\n    inside"


def test_a_span_whose_parent_has_not_ended_is_a_root(telemetry_capture: Capture) -> None:
    with telemetry.get_tracer().start_as_current_span("request"):
        start("inside").end()
        assert telemetry_capture.outline() == "inside"


def test_ids_count_from_one(telemetry_capture: Capture) -> None:
    for _ in range(2):
        with root_span(Root("work")):
            pass
    assert [span.context.trace_id for span in telemetry_capture.spans if span.context] == [1, 2]


def test_time_passes_only_when_the_clock_is_moved(telemetry_capture: Capture) -> None:
    analysis = telemetry.food_photo_analysis(model="gpt-4o")
    with analysis:
        telemetry_capture.clock.advance(2.5)
    (node,) = telemetry_capture.tree()
    assert node.seconds == 2.5
    assert telemetry_capture.number("food_photo_processing_duration_seconds_sum") == 2.5
    assert telemetry_capture.spans[0].start_time == 1_767_225_600_000_000_000


def test_a_clock_does_not_run_backwards(telemetry_capture: Capture) -> None:
    with pytest.raises(ValueError, match=r"seconds must not be negative \(got -1\)"):
        telemetry_capture.clock.advance(-1)


def test_a_metric_is_a_number_by_its_name_in_prometheus_and_by_its_labels(telemetry_capture: Capture) -> None:
    for status in ("success", "success", "error"):
        current().instruments.add(catalog.TELEGRAM_MESSAGES, 1, ANSWERED | {"status": status})
    current().instruments.record(catalog.TELEGRAM_MESSAGE_DURATION, 0.5, {"message_type": "text"})
    number = telemetry_capture.number
    assert number("telegram_messages_total") == number("telegram.messages") == 3
    assert number("telegram_messages_total", status="error") == 1
    assert number("telegram_messages_total", message_type="photo") == 0
    assert number("telegram_message_duration_seconds_count") == number("telegram_message_duration_seconds") == 1


@pytest.mark.parametrize("ask", [lambda c: c.number("no_such_total"), lambda c: c.span("none")], ids=["metric", "span"])
def test_a_name_that_is_not_there_is_named(telemetry_capture: Capture, ask: object) -> None:
    with pytest.raises((KeyError, ValueError), match=r"no_such_total is not in the catalog|one span none"):
        ask(telemetry_capture)  # type: ignore[operator]


def test_an_event_has_its_user_tags_breadcrumbs_and_trace_cleaned(telemetry_capture: Capture) -> None:
    with root_span(Root("work")), current().sentry.scope():
        telemetry.set_user_context("7")
        telemetry.set_tag("meal", "lunch")
        telemetry.add_breadcrumb("coach", "mail to a@example.org")
        telemetry.record_error(ValueError("key sk-0123456789abcdef01"))
    (event,) = telemetry_capture.events
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["exception"]["values"][0]["value"] == "[redacted]"
    assert (event["user"], event["tags"]) == ({"id": "7"}, {"meal": "lunch"})
    assert event["breadcrumbs"]["values"][0]["message"] == "mail to [redacted]"
    assert event["contexts"]["trace"]["trace_id"] == f"{1:032x}"
    assert telemetry_capture.span("work").attributes == {
        "user.id": "7", "tag.meal": "lunch", "sentry.event_id": event["event_id"],
    }  # fmt: skip


def test_an_error_is_one_event_however_often_it_is_reported(telemetry_capture: Capture) -> None:
    error = ValueError("once")
    assert telemetry.record_error(error) == telemetry.record_error(error)
    assert telemetry_capture.errors == [error]


def test_a_logged_error_is_an_event_too(telemetry_capture: Capture) -> None:
    record = logging.LogRecord(
        "app", logging.ERROR, __file__, 1, "no %s", ("food",), None, "test_a_logged_error_is_an_event_too"
    )
    assert current().sentry.log(record) is not None
    assert telemetry_capture.events[0]["logentry"] == {"message": "no %s"}


def test_the_tags_of_one_request_do_not_reach_the_next(telemetry_capture: Capture) -> None:
    for meal in ("lunch", None):
        with current().sentry.scope():
            if meal:
                telemetry.set_tag("meal", meal)
            telemetry.record_error(ValueError(meal))
    assert [event["tags"] for event in telemetry_capture.events] == [{"meal": "lunch"}, {}]


def test_two_set_ups_at_once_in_one_process_share_nothing() -> None:
    captures, meet = [Capture(), Capture()], threading.Barrier(2)

    def run(number: int) -> None:
        with captures[number].here():
            for _ in range(50):
                meet.wait(5)
                with root_span(Root(f"work {number}")):
                    telemetry.set_tag("thread", str(number))
                    current().instruments.add(catalog.TELEGRAM_MESSAGES, number + 1, ANSWERED)
            telemetry.record_error(ValueError(str(number)))

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    for number, capture in enumerate(captures):
        assert {span.name for span in capture.spans} == {f"work {number}", "error"}
        assert len(capture.spans) == 51
        assert capture.number("telegram_messages_total") == 50 * (number + 1)
        assert capture.number("errors_total") == 1
        assert [event["tags"] for event in capture.events] == [{"thread": str(number)}]
        capture.runtime.stop()


def test_what_was_in_force_is_back_afterwards() -> None:
    before = current()
    with Capture() as capture:
        assert current() is capture.runtime
        with Capture().here():
            assert current() is not capture.runtime
        assert current() is capture.runtime
    assert current() is before


def test_the_documents_test_of_an_application_passes_in_a_project_of_its_own(tmp_path: Path) -> None:
    section = DOCUMENT.read_text().split("## What was recorded, in a test")[1].split("\n## ")[0]
    application, test = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    imports = "from fastapi.testclient import TestClient\n"
    (tmp_path / "test_app.py").write_text(imports + application + "\n\n" + test)
    assert len(test.splitlines()) == 8
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    assert "1 passed" in done.stdout, done.stdout + done.stderr
