"""What must not leave the process stays or is replaced by a fixed marker; what is harmless passes unharmed."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry import trace
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, StatusCode

from telemetry import redaction
from telemetry.providers import resource
from telemetry.redaction import MARKER, clean_attributes, clean_text, clean_url
from telemetry.settings import Settings
from telemetry.testing import Capture
from tests.conftest import Recorded

CORPUS = yaml.safe_load((Path(__file__).parents[1] / "data" / "redaction.yaml").read_text())
SECRETS: dict[str, dict[str, str]] = CORPUS["secrets"]
TOKEN = SECRETS["a bot token alone"]["text"]
WORDS = "I have diabetes, my name is Anna"


@pytest.mark.parametrize("case", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_in_a_text_is_replaced(case: dict[str, str]) -> None:
    cleaned = clean_text(case["text"])
    assert MARKER in cleaned
    assert case["hidden"] not in cleaned


@pytest.mark.parametrize("text", CORPUS["harmless"])
def test_what_only_looks_like_a_secret_passes(text: str) -> None:
    assert clean_text(text) == text


ATTRIBUTES: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "keys of nobody's": ({"x-api-key": "k", "password": "p", "note": WORDS, "gen_ai.input.messages": WORDS}, {}),
    "keys of ours": ({"http.route": "/a/{b}", "food_count": 2, "sentry.suppressed": True}, None),
    "tokens of any kind": ({"gen_ai.usage.input_tokens": 12, "gen_ai.usage.details.x": 3.5}, None),
    "words for a number": ({"gen_ai.usage.details.said": WORDS}, {}),
    "a tag": ({"tag.plan": "pro"}, None),
    "a secret in a tag": ({"tag.plan": TOKEN}, {"tag.plan": MARKER}),
    "a secret": ({"model": TOKEN}, {"model": MARKER}),
    "no attribute's form": ({"model": {"nested": WORDS}}, {"model": MARKER}),
    "a list": ({"gen_ai.response.finish_reasons": ("stop", TOKEN)},
               {"gen_ai.response.finish_reasons": ["stop", MARKER]}),
    "an address": ({"url.full": "https://u:p@h.org/v1/diabetes?key=1#f"}, {"url.full": "https://h.org/v1/*"}),
    "a query": ({"url.query": "q=diabetes", "url.path": "/users/anna"}, {}),
    "a method that is none": ({"http.request.method": "DIABETES"}, {"http.request.method": "_OTHER"}),
    "an error's type that is a sentence": ({"error.type": WORDS}, {"error.type": MARKER}),
    "an error's type": ({"error.type": "psycopg.errors.UniqueViolation"}, None),
    "a long text": ({"model": "x" * 2000}, {"model": "x" * 1024}),
}  # fmt: skip


@pytest.mark.parametrize(("attributes", "cleaned"), ATTRIBUTES.values(), ids=ATTRIBUTES.keys())
def test_attributes_leave_by_key_and_are_cleaned_by_content(attributes: Any, cleaned: Any) -> None:
    assert clean_attributes(attributes) == (attributes if cleaned is None else cleaned)


def test_an_application_lets_keys_of_its_own_leave() -> None:
    own = Settings(allowed_attributes=frozenset({"shop.cart"}))
    with Capture(own) as recorded:
        recorded.runtime.tracer.start_span("work", attributes={"shop.cart": TOKEN, "shop.owner": WORDS}).end()
    assert dict(recorded.spans[0].attributes or {}) == {"shop.cart": MARKER}


def test_what_stays_is_named_once_in_development(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_told", set())
    caplog.set_level(logging.INFO)
    with Capture(Settings(environment="production", user_key="0123456789abcdef")):
        clean_attributes({"shop.owner": "x"})
    for _ in range(2):
        clean_attributes({"shop.cart": "x", WORDS: "x"})
    assert [record.getMessage() for record in caplog.records] == [
        "Attributes named shop.cart stay in the process: TELEMETRY_ALLOWED_ATTRIBUTES lets them leave."
    ]


def test_an_address_loses_user_unknown_words_query_and_fragment() -> None:
    assert clean_url(f"https://u:p@api.org:8/bot{TOKEN}/messages?key=1#y") == "https://api.org:8/*/messages"


def test_cleaning_does_not_change_its_input() -> None:
    value = {"model": [TOKEN], "note": WORDS}
    clean_attributes(value)
    assert value == {"model": [TOKEN], "note": WORDS}


@pytest.mark.parametrize("text", ["a" * 100_000, "1" * 100_000, "password=" * 20_000, "a@" * 50_000, "+1 " * 30_000])
def test_a_hostile_text_is_cleaned_in_time(text: str) -> None:
    start = time.perf_counter()
    clean_text(text)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("shift", range(0, len(TOKEN), 9))
def test_a_secret_that_is_cut_in_two_does_not_leave(shift: int) -> None:
    assert "AAE" not in clean_text("x" * shift + f"{TOKEN} " * 95)


def fail(text: str) -> None:
    raise ValueError(text)


def test_nothing_of_a_span_says_what_a_user_wrote(recorded: Recorded) -> None:
    error = ValueError(WORDS)
    error.add_note(f'Traceback (most recent call last):\n  File "{WORDS}", line 1, in Anna\n    {WORDS}')
    with recorded.runtime.tracer.start_as_current_span("work", attributes={"note": WORDS}) as span:
        span.add_event(WORDS, {"note": WORDS})
        span.record_exception(error)
        span.set_status(StatusCode.ERROR, f"ValueError: {WORDS}")
    (exported,) = recorded.spans
    assert "diabetes" not in exported.to_json()
    assert "Anna" not in exported.to_json()


def test_an_exceptions_event_keeps_type_and_stack(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="diabetes"):
        with recorded.runtime.tracer.start_as_current_span("work"):
            fail(WORDS)
    (exported,) = recorded.spans
    found = dict(exported.events[0].attributes or {})
    assert (exported.status.description, found["exception.type"], found["exception.message"]) == (
        "ValueError", "ValueError", MARKER,
    )  # fmt: skip
    assert f'File "{__file__}"' in str(found["exception.stacktrace"])
    assert str(found["exception.stacktrace"]).endswith("in fail\n    raise ValueError(text)\n")


NAMES = {
    "a path": ("GET /users/anna", {"http.request.method": "GET"}, "GET"),
    "an address": ("GET http://h/x", {"http.request.method": "GET"}, "GET"),
    "a path alone": ("/users/anna", {}, MARKER),
    "a route": ("GET /users/{id}", {"http.request.method": "GET", "http.route": "/users/{id}"}, "GET /users/{id}"),
    "a method that is none": ("ANNA /x", {"http.request.method": "ANNA", "http.route": "/x"}, "_OTHER /x"),
    "one that a library has hidden": ("ANNA", {"http.request.method": "_OTHER"}, "_OTHER"),
    "a token": (f"call {TOKEN}", {}, f"call {MARKER}"),
    "a long name": ("n" * 1000, {}, "n" * 128),
    "an agent's": ("chat gpt-4o", {}, "chat gpt-4o"),
}


@pytest.mark.parametrize(("name", "attributes", "cleaned"), NAMES.values(), ids=NAMES.keys())
def test_a_span_keeps_of_its_name(recorded: Recorded, name: str, attributes: dict[str, str], cleaned: str) -> None:
    recorded.runtime.tracer.start_span(name, attributes=attributes).end()
    assert recorded.spans[0].name == cleaned


STATUSES = {
    "ValueError": "ValueError",
    "ValueError: I have diabetes": "ValueError",
    "json.decoder.JSONDecodeError: x": "json.decoder.JSONDecodeError",
    "503": "503",
    "Diabetes": None,
    WORDS: None,
}


@pytest.mark.parametrize(("said", "cleaned"), STATUSES.items())
def test_a_status_says_an_errors_type_or_nothing(recorded: Recorded, said: str, cleaned: str | None) -> None:
    with recorded.runtime.tracer.start_as_current_span("work") as span:
        span.set_status(StatusCode.ERROR, said)
    assert recorded.spans[0].status.description == cleaned
    assert recorded.spans[0].status.status_code is StatusCode.ERROR


def test_links_and_scopes_leave_without_attributes_and_no_trace_state_leaves(recorded: Recorded) -> None:
    state = trace.TraceState([("owner", "anna")])
    remote = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=state)
    parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    tracer = recorded.runtime.tracer_provider.get_tracer("app", attributes={"owner": WORDS})
    tracer.start_span("work", parent, links=[Link(remote, {"note": WORDS})]).end()
    (exported,) = recorded.spans
    (link,) = exported.links
    assert (link.context.trace_id, link.context.span_id, dict(link.attributes or {})) == (1, 2, {})
    assert [bool(found.trace_state) for found in (link.context, exported.context)] == [False, False]
    assert exported.instrumentation_scope == InstrumentationScope("app", "", "")


def test_a_resource_says_what_runs_and_not_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "host,os,process")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"team=health,owner={TOKEN}")
    found = resource(Settings()).attributes
    assert {"host.name", "process.command_line", "process.owner"}.isdisjoint(found)
    assert (found["team"], found["owner"], "os.type" in found) == ("health", MARKER, True)
