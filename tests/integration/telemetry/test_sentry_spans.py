"""Spans as Sentry shows them, and Sentry's span processor kept from harming anybody."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from sentry_sdk.integrations.opentelemetry import SentrySpanProcessor, span_processor

from stack.settings import ROOT
from telemetry import _guard
from telemetry._sentry_spans import LinkedSpanProcessor, operation
from telemetry.sentry import Sentry
from telemetry.settings import Settings
from tests.conftest import clean_environment, http_server
from tests.integration.telemetry.test_sentry import Item, Store, sent

OPERATIONS = [
    ({"http.request.method": "GET", "span.kind": "server"}, "http.server"),
    ({"http.request.method": "GET", "span.kind": "client"}, "http.client"),
    ({"db.system.name": "postgresql", "span.kind": "client"}, "db"),
    ({"messaging.system": "telegram", "messaging.operation.type": "process", "span.kind": "consumer"}, "queue.process"),
    ({"messaging.system": "telegram", "span.kind": "consumer"}, "queue.task"),
    ({"messaging.system": "telegram", "telegram.api.method": "sendPhoto", "span.kind": "client"}, "http.client"),
    ({"gen_ai.operation.name": "chat", "span.kind": "client"}, "gen_ai.chat"),
    ({"span.kind": "internal"}, "function"),
    ({}, "function"),
]


@pytest.mark.parametrize(("attributes", "expected"), OPERATIONS, ids=[str(case) for case, _ in OPERATIONS])
def test_an_operation_is_named_in_sentrys_words(attributes: dict[str, Any], expected: str) -> None:
    assert operation(attributes) == expected


@pytest.fixture(scope="module", params=["lean", "processor"])
def transactions(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Item]:
    """What an application with every instrumented part sends, by name."""
    Store.items = []
    environ = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "PYTHONPATH": str(ROOT)}
    environ["TELEMETRY_SENTRY_LINK"] = request.param
    data = tmp_path_factory.mktemp("database") / "postgres"
    command = [sys.executable, "-m", "tests.integration.telemetry.kinds_of_spans", str(data)]
    with http_server(Store) as address:
        environ |= clean_environment() | {"SENTRY_DSN": f"http://key@{address}/1"}
        subprocess.run(command, env=environ, check=True, capture_output=True, timeout=60)  # noqa: S603
    return {item["transaction"]: item for item in sent("transaction")}


ROOTS = {
    "GET /advice/{topic}": ("http.server", "ok", "route"),
    "GET": ("http.server", "not_found", "task"),
    "job": ("function", "ok", "task"),
    "telegram.update": ("queue.process", "internal_error", "task"),
}
CHILDREN = {
    "GET /advice/{topic}": {
        ("db", "SELECT", "ok"),
        ("gen_ai.invoke_agent", "invoke_agent coach", "ok"),
        ("gen_ai.chat", "chat test", "ok"),
        ("gen_ai.execute_tool", "execute_tool recall", "ok"),
    },
    "GET": set(),
    "job": {("http.client", "GET other", "not_found")},
    "telegram.update": {
        ("function", "telegram.handle_text", "internal_error"),
        ("http.client", "telegram.api.sendMessage", "internal_error"),
    },
}


@pytest.mark.parametrize("name", ROOTS)
def test_a_transaction_says_what_it_was_and_how_it_went(transactions: dict[str, Item], name: str) -> None:
    transaction = transactions[name]
    trace = transaction["contexts"]["trace"]
    assert (trace["op"], trace["status"], transaction["transaction_info"]["source"]) == ROOTS[name]


@pytest.mark.parametrize("name", CHILDREN)
def test_its_spans_say_what_they_were_and_how_they_went(transactions: dict[str, Item], name: str) -> None:
    spans = transactions[name]["spans"]
    assert {(span["op"], span["description"], span["status"]) for span in spans} == CHILDREN[name]


@pytest.fixture(params=[ALWAYS_ON], ids=["sampled"])
def tracer(request: pytest.FixtureRequest) -> Iterator[Tracer]:
    """Spans that Sentry's processor sees, and a server that keeps the transactions."""
    Store.items = []
    SentrySpanProcessor.otel_span_map.clear()
    SentrySpanProcessor.open_spans.clear()
    with http_server(Store) as address:
        sentry = Sentry.start(replace(Settings(), sentry_dsn=f"http://key@{address}/1", sentry_link="processor"))
        provider = TracerProvider(sampler=request.param, shutdown_on_exit=False)
        for processor in sentry.span_processors():
            provider.add_span_processor(processor)
        yield provider.get_tracer("test")
        sentry.close(5)
        sentry_sdk.get_global_scope().set_client(None)


def held() -> int:
    """How many open spans the processor holds."""
    return len(SentrySpanProcessor.otel_span_map) + sum(map(len, SentrySpanProcessor.open_spans.values()))


def test_threads_that_change_all_the_time_lose_no_span_and_raise_nothing(
    tracer: Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans start in many minutes, so that each start and end prunes what the other threads fill."""
    monkeypatch.setattr(_guard, "failures", {})
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    now = time.time_ns()

    def work(thread: int) -> None:
        for number in range(300):
            span = tracer.start_span("outer", start_time=now + (thread + number) % 50 * 60_000_000_000)
            span.end(now + 3600 * 10**9)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert _guard.failures == {}
    assert held() == 0


def end_all(tracer: Tracer) -> None:
    with tracer.start_as_current_span("parent"), tracer.start_as_current_span("child"):
        pass


def end_parent_first(tracer: Tracer) -> None:
    with tracer.start_as_current_span("parent"):
        child = tracer.start_span("child")
    child.end()


@pytest.mark.parametrize("tracer", [ALWAYS_ON, ALWAYS_OFF], ids=["sampled", "not sampled"], indirect=True)
@pytest.mark.parametrize("end", [end_all, end_parent_first])
def test_nothing_is_held_of_a_trace_that_has_ended(tracer: Tracer, end: Callable[[Tracer], None]) -> None:
    for _ in range(100):
        end(tracer)
    assert held() == 0


def test_spans_that_never_end_are_given_up_after_ten_minutes(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    spans = [tracer.start_span("lost") for _ in range(100)]
    assert held() == 200
    later = time.time() + 11 * 60
    monkeypatch.setattr(span_processor, "time", lambda: later)
    tracer.start_span("next", start_time=int(later * 1e9)).end()
    assert held() == 0
    spans[0].end()  # a trace longer than that has no transaction, and does no harm


def test_a_failure_of_the_processor_does_not_reach_the_application(
    tracer: Tracer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("from Sentry")

    monkeypatch.setattr(_guard, "failures", {})
    monkeypatch.setattr(SentrySpanProcessor, "on_start", fail)
    monkeypatch.setattr(SentrySpanProcessor, "on_end", fail)
    tracer.start_span("well").end()
    assert _guard.failures == {"start a Sentry span": 1, "end a Sentry span": 1}


def test_a_flood_of_traces_leaves_room_for_errors(tracer: Tracer) -> None:
    for number in range(500):
        tracer.start_span(f"flood {number}").end()
    sentry_sdk.capture_event({"message": "after the flood"})
    sentry_sdk.flush(10)
    assert len(sent("event")) == 1
    assert 0 < len(sent("transaction")) < 500


def test_a_failed_span_is_failed_in_sentry_too(tracer: Tracer) -> None:
    with tracer.start_as_current_span("GET /x", kind=SpanKind.SERVER) as span:
        span.set_status(StatusCode.ERROR)
    sentry_sdk.flush(5)
    (transaction,) = sent("transaction")
    assert transaction["contexts"]["trace"]["status"] == "internal_error"


def test_a_transaction_that_cannot_be_cleaned_is_not_sent(tracer: Tracer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("cannot clean")

    monkeypatch.setattr("telemetry._clean_events.clean_event", fail)
    tracer.start_span("secret").end()
    sentry_sdk.flush(5)
    assert sent("transaction") == []


def test_the_lock_of_a_thread_that_is_not_in_the_child_does_not_stop_it() -> None:
    processor = LinkedSpanProcessor()
    assert processor._lock.acquire()
    processor._unlock()  # what a forked child does first
    held_by_nobody: list[bool] = []
    thread = threading.Thread(target=lambda: held_by_nobody.append(processor._lock.acquire(blocking=False)))
    thread.start()
    thread.join()
    assert held_by_nobody == [True]
