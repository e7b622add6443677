"""What the application says of a request reaches its span and its errors; each error counts once."""

from __future__ import annotations

import pytest

import telemetry
from telemetry import context
from tests.conftest import Recorded


def test_user_and_tags_stand_on_the_current_span(recorded: Recorded) -> None:
    with telemetry.get_tracer().start_as_current_span("turn"):
        telemetry.set_user_context("7", "anna")
        telemetry.set_tag("plan", "pro")
    attributes = recorded.span("turn").attributes
    assert attributes is not None
    assert (attributes["user.id"], attributes["tag.plan"]) == ("7", "pro")
    assert recorded.sentry.user == {"id": "7", "username": "anna"}
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
