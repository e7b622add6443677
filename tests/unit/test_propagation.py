"""Trace context goes only where it may go, and comes back from a database as a linked trace."""

from __future__ import annotations

import json

from opentelemetry import baggage, context
from opentelemetry.propagate import get_global_textmap, inject

import telemetry
from telemetry.propagation import TrustedPropagator, inject_for
from telemetry.settings import Settings
from tests.conftest import Recorded, record


def test_the_propagator_gives_nothing_away(recorded: Recorded) -> None:
    carrier: dict[str, str] = {}
    with telemetry.get_tracer().start_as_current_span("turn"):
        TrustedPropagator().inject(carrier, baggage.set_baggage("user", "42"))
    assert carrier == {}


def test_headers_go_to_hosts_on_the_allow_list_only() -> None:
    for _ in record(Settings(propagate_to=frozenset({"inside.example", "10.0.0.1:81"}))):
        sent: dict[str, dict[str, str]] = {}
        for host in ("inside.example", "inside.example:8080", "10.0.0.1:81", "10.0.0.1:82", "api.openai.com"):
            with telemetry.get_tracer().start_as_current_span("call"):
                inject_for(host, sent.setdefault(host, {}))
        assert {host for host, headers in sent.items() if headers} == {
            "inside.example",
            "inside.example:8080",
            "10.0.0.1:81",
        }
        assert set(sent["inside.example"]) == {"traceparent"}


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
