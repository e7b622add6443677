"""What must not leave the process is replaced by a fixed marker; what is harmless passes unharmed."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from telemetry.redaction import MARKER, clean, clean_text, clean_url
from tests.conftest import Recorded

TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"  # noqa: S105 - invented
SECRETS = {
    "a bot token in an address": f"http://127.0.0.1/bot{TOKEN}/getUpdates",
    "a bot token in an encoded address": f"http://127.0.0.1/file/bot{TOKEN.replace(':', '%3A')}/photo.jpg",
    "a bot token alone": TOKEN,
    "an OpenAI key": "key sk-proj-abcdefghijklmnopqrstuvwx failed",
    "an Anthropic key": "sk-ant-api03-abcdefghijklmnopqrstuvwx",
    "a bearer token": "Authorization: Bearer abcdef.ghijkl-mnop",
    "an e-mail address": "sent to anna.b+x@example.com today",
}
HARMLESS = [
    "GET /api/foods/{id}",
    "SELECT food_entries",
    "2026-11-23T16:30:00",
    "ratio 12:34",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736",
    "user 123456789",
    "the bearer of news",
    "task-force sk-8",
]


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_in_a_text_is_replaced(text: str) -> None:
    cleaned = clean_text(text)
    assert MARKER in cleaned
    for secret in (TOKEN.partition(":")[2], "abcdefghijklmnop", "abcdef.ghijkl", "anna.b"):
        assert secret not in cleaned


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_secret_passes(text: str) -> None:
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ({"X-Api-Key": "k", "Password": "p"}, {"X-Api-Key": MARKER, "Password": MARKER}),
        ({"a": [{"bot_token": "t"}, "fine"]}, {"a": [{"bot_token": MARKER}, "fine"]}),
        ({"prompt_tokens": 12, "ok": True}, {"prompt_tokens": 12, "ok": True}),
        ({"url.full": "https://u:p@h.org/a?key=1#f"}, {"url.full": "https://h.org/a"}),
        ({"url.query": "q=diabetes"}, {"url.query": MARKER}),
    ],
    ids=["headers", "nested", "numbers", "address", "query"],
)
def test_nested_values_are_cleaned_by_key_and_by_content(value: Any, cleaned: Any) -> None:
    assert clean(value) == cleaned


def test_an_address_loses_user_query_and_fragment() -> None:
    assert clean_url(f"https://u:p@api.org:8/bot{TOKEN}/x?key=1#y") == f"https://api.org:8/bot{MARKER}/x"


def test_cleaning_does_not_change_its_input() -> None:
    value = {"password": "p", "list": [TOKEN]}
    clean(value)
    assert value == {"password": "p", "list": [TOKEN]}


def test_a_span_is_cleaned_in_name_attributes_events_and_status(recorded: Recorded) -> None:
    with recorded.runtime.tracer.start_as_current_span(f"call {TOKEN}", attributes={"note": TOKEN}) as span:
        span.add_event("failed", {"exception.message": TOKEN})
        span.set_status(StatusCode.ERROR, TOKEN)
    (exported,) = recorded.spans
    assert (
        TOKEN
        not in f"{exported.name} {exported.attributes} {exported.events[0].attributes} {exported.status.description}"
    )
    assert exported.status.status_code is StatusCode.ERROR
