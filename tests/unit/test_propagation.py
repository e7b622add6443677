"""Trace context goes only where it may go, and comes back from a database as a linked trace."""

from __future__ import annotations

import json

import pytest
from opentelemetry import baggage, context
from opentelemetry.propagate import get_global_textmap, inject

import telemetry
from telemetry.propagation import TrustedPropagator, set_trace_headers
from telemetry.settings import Settings
from tests.conftest import Recorded, record


def test_the_propagator_gives_nothing_away(recorded: Recorded) -> None:
    carrier: dict[str, str] = {}
    with telemetry.get_tracer().start_as_current_span("turn"):
        TrustedPropagator().inject(carrier, baggage.set_baggage("user", "42"))
    assert carrier == {}


HOSTS = {
    "https://inside.example/": True,
    "http://inside.example:8080/": True,
    "http://INSIDE.example./": True,
    "http://10.0.0.1:81/": True,
    "https://own.example/": True,
    "http://10.0.0.1:82/": False,
    "http://own.example/": False,
    "https://api.openai.com/": False,
    "https://inside.example:443@api.openai.com/": False,
    "https://inside.example.evil.org/": False,
    "https://api.openai.com/?inside.example": False,
    "http://[inside.example/": False,
    "http://inside.example:port/": False,
    "": False,
}


@pytest.mark.parametrize(("url", "allowed"), HOSTS.items(), ids=HOSTS.keys())
def test_headers_go_to_hosts_on_the_allow_list_only(url: str, allowed: bool) -> None:
    propagate_to = Settings.read({"TELEMETRY_PROPAGATE_TO": "Inside.example, 10.0.0.1:81, own.example:443"})
    for _ in record(propagate_to[0]):
        headers = {"Baggage": "user=42", "Accept": "json"}
        with telemetry.get_tracer().start_as_current_span("call") as span:
            set_trace_headers(url, headers, span)
        assert ("traceparent" in headers) == allowed
        assert ("Baggage" in headers) == allowed
        assert headers["Accept"] == "json"


def test_a_reminder_resumes_as_a_new_trace_that_links_to_its_origin(recorded: Recorded) -> None:
    with telemetry.get_tracer().start_as_current_span("telegram.update") as origin:
        stored = json.dumps(telemetry.save_context())
    with telemetry.get_tracer().start_as_current_span("elsewhere"):
        with telemetry.resume_context(json.loads(stored), "reminders.send"):
            pass
    resumed = recorded.span("reminders.send")
    assert resumed.parent is None
    assert resumed.context is not None
    assert resumed.context.trace_id != origin.get_span_context().trace_id
    assert [link.context.trace_id for link in resumed.links] == [origin.get_span_context().trace_id]


def test_an_unreadable_context_gives_a_trace_without_a_link(recorded: Recorded) -> None:
    for number, carrier in enumerate((None, {}, {"traceparent": "junk"}, {"other": "x"})):
        with telemetry.resume_context(carrier, f"reminder {number}"):
            pass
    assert [len(span.links) for span in recorded.spans] == [0, 0, 0, 0]


def test_outside_a_trace_there_is_nothing_to_save(recorded: Recorded) -> None:
    assert telemetry.save_context() == {}
    assert get_global_textmap() is not None
    inject({}, context.Context())
