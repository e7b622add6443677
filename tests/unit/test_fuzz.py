"""Whatever comes from outside, the parsers of it return: no exception, no long wait, no value out of bounds.

`FUZZ_EXAMPLES` sets how many inputs each gets (100), the same each time; `--hypothesis-show-statistics` counts them.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace

from telemetry import _clean_events, _own_texts, conversation, propagation
from telemetry._bounds import Bounds
from telemetry.catalog import HTTP_REQUESTS
from telemetry.instrumentation._rate_limit import remaining_ratio
from telemetry.instrumentation._sql import statement_of
from telemetry.instrumentation.fastapi import _caller_of
from telemetry.redaction import clean_attributes, clean_resource, clean_text, clean_url
from telemetry.settings import Settings
from telemetry.switches import Switches, SwitchesFile
from telemetry.testing import Capture

fuzzed = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "100")), derandomize=True, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
TRUSTING = Settings(trusted_callers=Settings.read({"TELEMETRY_TRUSTED_CALLERS": "127.0.0.1"})[0].trusted_callers)
LONGEST_SECONDS = 1.0

NAMES = st.sampled_from(["traceparent", "tracestate", "baggage", "b3", "Traceparent"])
HEADERS = st.one_of(
    st.text(max_size=300),
    st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,20}", fullmatch=True),
    st.from_regex(r"(?:[a-z0-9@_*/-]{1,20}=[ -~]{0,30},){1,40}", fullmatch=True),
)
CARRIERS = st.dictionaries(st.one_of(NAMES, st.text(max_size=30)), HEADERS, max_size=6)
URLS = st.one_of(
    st.text(max_size=300),
    st.from_regex(r"https?://[^\s]{0,40}(?::\d{0,7})?/[^\s]{0,80}(?:[?][^\s]{0,80})?(?:#.{0,20})?", fullmatch=True),
    st.from_regex(r"[a-z]{2,6}://[\[\]:@%0-9a-f.]{0,40}.{0,60}", fullmatch=True),
)
LIMITS = st.dictionaries(
    st.sampled_from([
        "x-ratelimit-limit", "x-ratelimit-remaining", "ratelimit", "ratelimit-policy", "ratelimit-limit",
        "ratelimit-remaining", "x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens",
    ]),
    st.one_of(
        st.text(max_size=200), st.integers().map(str), st.floats().map(str),
        st.from_regex(r'("[a-z ]{0,9}"|[a-z]+)(;[rqtw]=-?[0-9.e+]{0,20}){0,5}', fullmatch=True),
    ),
)  # fmt: skip
SQL = st.one_of(
    st.text(max_size=400), st.binary(max_size=400),
    st.lists(st.sampled_from([
        "SELECT", "FROM", "INSERT INTO", "UPDATE", "WITH", "(", ")", ";", "'", '"', "$$", "$a$", "E'\\", "--", "/*",
        "*/", "%s", "%(", "1e9", "food", "\x00", "é",
    ]), max_size=60).map(" ".join),
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=60), st.binary(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=20), inner, max_size=4)),
    max_leaves=12,
)
ATTRIBUTES = st.dictionaries(
    st.one_of(
        st.text(max_size=30), st.sampled_from(["url.full", "model", "error.type", "http.request.method", "tag.a"])
    ),
    st.one_of(VALUES, URLS),
    max_size=8,
)
PARTS = ["exception", "breadcrumbs", "contexts", "user", "tags", "spans", "logentry", "request", "extra"]
EVENTS = st.dictionaries(st.one_of(st.sampled_from(PARTS), st.text(max_size=10)), VALUES, max_size=6)
SCOPES = st.fixed_dictionaries(
    {
        "client": st.one_of(st.none(), st.tuples(st.one_of(st.just("127.0.0.1"), st.text(max_size=20)), st.integers())),
        "headers": st.lists(
            st.tuples(st.one_of(NAMES.map(str.encode), st.binary(max_size=20)), st.binary(max_size=300))
        ),
    }
)


def quickly(start: float) -> bool:
    return time.perf_counter() - start < LONGEST_SECONDS


@pytest.fixture(autouse=True)
def _in_force() -> Any:
    logging.getLogger("telemetry").addFilter(no_line := lambda _record: False)
    with Capture(TRUSTING):
        yield
    logging.getLogger("telemetry").removeFilter(no_line)


@fuzzed
@given(SCOPES)
def test_headers_of_a_caller(scope: dict[str, Any]) -> None:
    caller = _caller_of(scope)
    assert caller is None or caller.is_valid


@fuzzed
@given(CARRIERS)
def test_a_stored_context(carrier: dict[str, str]) -> None:
    assert all(link.context.is_valid for link in propagation.links_to(carrier))
    with propagation.resume_context(carrier, "resumed"):
        pass


@fuzzed
@given(URLS, CARRIERS)
def test_an_address(url: str, headers: dict[str, str]) -> None:
    start = time.perf_counter()
    assert "@" not in clean_url(url).partition("?")[0].removeprefix("[redacted]")
    propagation.set_trace_headers(url, headers, trace.INVALID_SPAN)
    assert not {name.lower() for name in headers} & propagation.TRACE_HEADERS
    assert quickly(start)


@fuzzed
@given(LIMITS)
def test_the_rate_limit_of_a_provider(headers: dict[str, str]) -> None:
    start, ratio = time.perf_counter(), remaining_ratio(headers)
    assert ratio is None or 0 <= ratio <= 1
    assert quickly(start)


@fuzzed
@given(SQL)
def test_a_statement(query: str | bytes) -> None:
    start, found = time.perf_counter(), statement_of(query)
    assert found is None or len(found.summary) < 100
    assert quickly(start)


@fuzzed
@given(st.one_of(st.text(max_size=80), st.from_regex(r"fb:(up|down):[0-9a-f]{30,34}:[0-9a-f]{14,18}", fullmatch=True)))
def test_the_data_of_a_button(data: str) -> None:
    assert conversation.record_feedback(data) in (None, "up", "down")


@fuzzed
@given(st.dictionaries(
    st.sampled_from([name for field in fields(Settings) for name in field.metadata["variable"].names]),
    st.one_of(st.text(max_size=80), URLS, st.floats().map(str), st.just("\x00")), max_size=6,
))  # fmt: skip
def test_an_environment(environ: dict[str, str]) -> None:
    _, errors = Settings.read(environ)
    assert {error.variable for error in errors} <= environ.keys()


@fuzzed
@given(st.one_of(st.text(max_size=300), st.from_regex(r"(ENABLE_[A-Z]+ ?= ?[a-z0-9]{0,6}\n){0,5}", fullmatch=True)))
def test_a_switches_file(tmp_path: Path, text: str) -> None:
    path, switches = tmp_path / "switches", Switches()
    path.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    SwitchesFile(str(path), switches, Settings())._lines(text)


@fuzzed
@given(st.one_of(st.text(max_size=2000), st.text("0123456789:-+@=/.aA ", max_size=2000)))
def test_a_text(text: str) -> None:
    start = time.perf_counter()
    cleaned = clean_text(text)
    assert len(cleaned) <= 1024
    assert clean_text(cleaned) == cleaned
    assert quickly(start)


@fuzzed
@given(ATTRIBUTES)
def test_attributes(attributes: dict[str, Any]) -> None:
    for cleaned in (clean_attributes(attributes), clean_resource(attributes)):
        assert cleaned.keys() <= attributes.keys()


@fuzzed
@given(EVENTS)
def test_an_event_of_sentrys(event: dict[str, Any]) -> None:
    try:
        cleaned = _clean_events.clean_event(event, {})
    except (TypeError, ValueError, AttributeError):  # of another form: then only what is known to be safe leaves
        return
    assert not {"request", "extra"} & cleaned.keys()


@fuzzed
@given(st.text(max_size=300), st.text(max_size=300))
def test_what_an_exception_says(text: str, note: str) -> None:
    error = ValueError(text)
    error.add_note(note)
    assert set(_own_texts.messages_of(error).values()) <= {"[redacted]"}


@fuzzed
@given(st.dictionaries(st.sampled_from(["method", "endpoint", "status", "user"]), VALUES))
def test_labels(labels: dict[str, Any]) -> None:
    found = Bounds().of_any(HTTP_REQUESTS, labels)
    assert found.keys() == {"method", "endpoint", "status"}
    assert all(isinstance(value, str) for value in found.values())
