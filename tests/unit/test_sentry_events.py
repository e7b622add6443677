"""What may become an event, in which form, and that nothing leaves as it is when cleaning fails."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import HTTPException
from starlette.exceptions import HTTPException as StarletteHTTPException

import telemetry
from telemetry import _clean_events, _error_marks, _guard, redaction
from telemetry._error_marks import Captured
from telemetry._sentry_events import before_breadcrumb, before_send, is_fault, link_to_explore
from telemetry.settings import Settings


class NotFoundError(HTTPException):
    def __init__(self) -> None:
        super().__init__(404)


class OthersHTTPException(Exception):  # noqa: N818 - the name is the case
    status_code = 404


OthersHTTPException.__name__ = "HTTPException"


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


FAULTS = {
    "an error": (ValueError(), True),
    "FastAPI's 404": (HTTPException(404), False),
    "Starlette's 404": (StarletteHTTPException(404), False),
    "a subclass": (NotFoundError(), False),
    "a 499": (HTTPException(499, "gone"), False),
    "a 500": (HTTPException(500), True),
    "a 503": (HTTPException(503), True),
    "a namesake of another library": (OthersHTTPException(), True),
    "a 404 because of an error": (caused(HTTPException(404), KeyError()), False),
    "an error because of a 404": (caused(ValueError(), HTTPException(404)), True),
    "a group of 404s": (ExceptionGroup("", [HTTPException(404), NotFoundError()]), False),
    "a group of groups of 404s": (ExceptionGroup("", [ExceptionGroup("", [HTTPException(404)])]), False),
    "a group with an error": (ExceptionGroup("", [HTTPException(404), ValueError()]), True),
    "a cancellation": (asyncio.CancelledError(), False),
    "an interrupt": (KeyboardInterrupt(), False),
    "an exit": (SystemExit(1), False),
}


@pytest.mark.parametrize(("error", "fault"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_what_the_service_is_to_blame_for(error: BaseException, *, fault: bool) -> None:
    assert is_fault(error) is fault


def event(**more: Any) -> dict[str, Any]:
    return {"event_id": "a" * 32, "level": "error", "release": "abc123", **more}


def hint(error: BaseException | None) -> dict[str, Any]:
    return {"exc_info": (type(error), error, None)} if error else {}


def test_an_error_is_one_event_whoever_else_captures_it() -> None:
    error = ValueError()
    assert before_send(event(), hint(error))
    assert before_send(event(), hint(error))
    assert before_send(event(event_id="b" * 32), hint(error)) is None
    assert _error_marks.captured(error) == Captured("a" * 32)


def test_an_error_marked_as_reported_is_no_event() -> None:
    error = ValueError()
    _error_marks.set_captured(error, None)
    assert before_send(event(), hint(error)) is None


def fail_in_blocks() -> None:
    with telemetry.user_context("7", "anna"), telemetry.user_context("8"):
        raise ValueError


def fail_because_of_that() -> None:
    try:
        fail_in_blocks()
    except ValueError as error:
        raise RuntimeError from error


@pytest.mark.parametrize("fail", [fail_in_blocks, fail_because_of_that])
def test_an_error_that_left_a_users_block_is_the_innermost_users(fail: Any) -> None:
    with pytest.raises((ValueError, RuntimeError)) as caught:
        fail()
    sent = before_send(event(user={"id": "1"}), hint(caught.value))
    assert sent
    assert sent["user"] == {"id": "8"}


def test_in_a_users_block_the_event_is_this_users_whatever_the_scope_says() -> None:
    with telemetry.user_context("7", "anna"):
        sent = before_send(event(user={"id": "1"}), hint(None))
    assert sent
    assert sent["user"] == {"id": "7"}


SECRET = "sk-proj-abcdefghijklmnopqrstuvwx"  # noqa: S105 - invented
FULL = event(
    contexts={"trace": {"trace_id": "1" * 32, "span_id": "2" * 16, "data": SECRET}, "otel": SECRET},
    exception={"values": [{"type": "ValueError", "value": SECRET, "stacktrace": {"frames": [SECRET]}}]},
    logentry={"message": SECRET},
    breadcrumbs={"values": [{"message": SECRET}]},
    extra={"nested": [{"password": SECRET}]},
    tags={"key": SECRET},
    user={"id": SECRET},
)


def fail_to_clean(*_: object) -> object:
    raise TypeError(SECRET)


def test_what_is_sent_is_clean() -> None:
    assert SECRET in json.dumps(FULL)
    assert SECRET not in json.dumps(before_send(FULL, {}))


def test_an_event_that_cannot_be_cleaned_is_reduced_to_type_and_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_clean_events, "clean_event", fail_to_clean)
    monkeypatch.setattr(_guard, "failures", {"clean what goes to Sentry": 1})
    assert before_send(FULL, {}) == {
        "event_id": "a" * 32,
        "level": "error",
        "release": "abc123",
        "contexts": {"trace": {"trace_id": "1" * 32, "span_id": "2" * 16}},
        "exception": {"values": [{"type": "ValueError", "value": redaction.MARKER}]},
    }


def test_a_breadcrumb_that_cannot_be_cleaned_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert before_breadcrumb({"message": SECRET}, {}) == {"message": redaction.MARKER}
    monkeypatch.setattr(_clean_events, "clean_breadcrumb", fail_to_clean)
    monkeypatch.setattr(_guard, "failures", {"clean what goes to Sentry": 1})
    assert before_breadcrumb({"message": SECRET}, {}) is None


@pytest.mark.parametrize(("tempo", "source"), [("http://tempo", "tempo"), ("", "jaeger")])
def test_an_event_links_to_its_trace_in_explore(tempo: str, source: str) -> None:
    event: dict[str, Any] = {"contexts": {"trace": {"trace_id": "a" * 32}}}
    found = link_to_explore(event, Settings(grafana_url="http://grafana", tempo_url=tempo))
    url = found["contexts"]["explore"]["url"]
    pane = json.loads(parse_qs(urlsplit(url).query)["panes"][0])["a"]
    assert url.startswith("http://grafana/explore?")
    assert (pane["datasource"], pane["queries"][0]["query"]) == (source, "a" * 32)


@pytest.mark.parametrize("grafana", ["", "http://grafana"])
def test_an_event_without_a_trace_or_a_grafana_has_no_link(grafana: str) -> None:
    trace = {} if grafana else {"trace_id": "a" * 32}
    assert "explore" not in link_to_explore({"contexts": {"trace": trace}}, Settings(grafana_url=grafana))["contexts"]
