"""What the application says of a request reaches its span and its errors; each error counts once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

import telemetry
from telemetry import _users, context
from telemetry._error_marks import Captured
from telemetry.redaction import MARKER
from tests.conftest import Recorded


def test_user_and_tags_stand_on_the_current_span(recorded: Recorded) -> None:
    with telemetry.get_tracer().start_as_current_span("turn"):
        telemetry.set_user_context("7", "anna")
        telemetry.set_tag("plan", "pro")
    attributes = recorded.span("turn").attributes
    assert attributes is not None
    assert (attributes["user.id"], attributes["tag.plan"]) == ("7", "pro")
    assert recorded.sentry.user == {"id": "7"}
    assert "anna" not in recorded.span("turn").to_json()


def test_a_set_up_has_one_tracer(recorded: Recorded) -> None:
    assert telemetry.get_tracer() is telemetry.get_tracer()


def test_outside_a_request_nothing_fails(recorded: Recorded) -> None:
    telemetry.set_user_context("7")
    telemetry.set_tag("plan", "pro")
    telemetry.add_breadcrumb("step", "done", {"n": 1})


def test_an_error_is_counted_once_however_often_it_is_reported(recorded: Recorded) -> None:
    error = ValueError("bad")
    assert telemetry.record_error(error, component="agent") == f"{1:032x}"
    assert telemetry.record_error(error, component="bot") == f"{1:032x}"
    context.count_error(error, "api")
    assert recorded.metrics()["errors"] == {("agent", "ValueError"): 1}
    assert recorded.sentry.errors == [error]


def test_an_error_that_takes_no_attributes_is_reported_all_the_same(recorded: Recorded) -> None:
    class Frozen(Exception):  # noqa: N818 - a case, not an error of ours
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    telemetry.record_error(Frozen(), component="api")
    assert recorded.metrics()["errors"] == {("api", "Frozen"): 1}


@pytest.mark.parametrize("component", ["bot", "elsewhere"])
def test_an_unknown_component_becomes_other(recorded: Recorded, component: str) -> None:
    telemetry.record_error(KeyError("x"), component=component)
    expected = component if component == "bot" else "other"
    assert recorded.metrics()["errors"] == {(expected, "KeyError"): 1}


def users(recorded: Recorded) -> dict[str, object]:
    """Return the user of each span."""
    return {span.name: (span.attributes or {}).get("user.id") for span in recorded.spans}


def test_a_users_block_names_the_user_on_the_span_around_it_and_those_in_it(recorded: Recorded) -> None:
    start = telemetry.get_tracer().start_as_current_span
    with start("around"):
        with start("before"):
            pass
        with telemetry.user_context("7", "anna"), start("inside"):
            pass
        with start("after"):
            pass
    assert users(recorded) == {"around": "7", "before": None, "inside": "7", "after": None}


def test_when_a_users_block_ends_the_user_before_is_back(recorded: Recorded) -> None:
    start = telemetry.get_tracer().start_as_current_span
    with start("around"), telemetry.user_context("7"):
        with telemetry.user_context("8"), start("inner"):
            pass
        with start("outer"):
            pass
        assert _users.current_user() == {"id": "7"}
    assert _users.current_user() is None
    assert users(recorded) == {"around": "7", "inner": "8", "outer": "7"}


def test_an_error_that_leaves_a_users_block_ends_it(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="bad"), telemetry.user_context("7"):
        raise ValueError("bad")
    assert _users.current_user() is None


def test_in_a_users_block_set_user_context_changes_its_user(recorded: Recorded) -> None:
    with telemetry.user_context("7", "anna"):
        telemetry.set_user_context("8")
        assert _users.current_user() == {"id": "8"}
    assert recorded.sentry.user == {}


async def test_a_users_block_holds_for_the_tasks_in_it_and_for_no_other(recorded: Recorded) -> None:
    async def one(name: str) -> None:
        with telemetry.user_context(name):
            await asyncio.sleep(0.001)
            await asyncio.gather(*(asyncio.create_task(span(f"{name} {number}")) for number in range(3)))

    async def span(name: str) -> None:
        with telemetry.get_tracer().start_as_current_span(name):
            await asyncio.sleep(0.001)

    await asyncio.gather(*(one(str(number)) for number in range(5)))
    assert len(recorded.spans) == 15
    assert all(name.split()[0] == user for name, user in users(recorded).items())


async def test_a_generator_that_is_closed_by_another_task_leaves_a_users_block_quietly(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    async def answers() -> AsyncIterator[int]:
        with telemetry.user_context("7"):
            yield 1

    generator = answers()
    await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
    await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]
    assert caplog.records == []


def test_in_a_storm_the_span_carries_the_event_of_the_first_of_its_kind(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Captured("a" * 32, suppressed=True)
    monkeypatch.setattr(recorded.sentry, "capture", lambda *_, **__: event)
    with telemetry.get_tracer().start_as_current_span("failed"):
        assert telemetry.record_error(ValueError("bad"), component="api") == "a" * 32
    span = recorded.span("failed")
    assert span.attributes == {"sentry.event_id": "a" * 32, "sentry.suppressed": True}
    assert span.events[0].attributes == {"exception.type": "ValueError", "exception.message": MARKER}
    assert not span.status.is_ok
    assert recorded.metrics()["errors"] == {("api", "ValueError"): 1}


def test_each_span_that_reports_an_error_carries_its_event(recorded: Recorded) -> None:
    error = ValueError("bad")
    for name in ("inner", "outer"):
        with telemetry.get_tracer().start_as_current_span(name):
            telemetry.record_error(error)
    assert [(span.attributes or {})["sentry.event_id"] for span in recorded.spans] == [f"{1:032x}"] * 2
