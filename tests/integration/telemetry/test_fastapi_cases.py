"""Every way a request can go, on a real server: one server span, the right name, the right metric."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from websockets.asyncio.client import connect

import telemetry
from telemetry.settings import Settings
from tests.conftest import Recorded, record
from tests.integration.telemetry.web import application, serving, shop

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A request, and what is to be recorded of it."""

    path: str
    status: int
    endpoint: str
    method: str = "GET"
    error: str = ""
    stream: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        method = "_OTHER" if self.method == "BREW" else self.method
        return method if self.endpoint == "unmatched" else f"{method} {self.endpoint}"


PREFLIGHT = {"Origin": "http://elsewhere", "Access-Control-Request-Method": "GET"}
CASES = {
    "a route of an included router": Case("/api/items/1", 200, "/api/items/{item}"),
    "a query string": Case("/api/items/1?secret=x", 200, "/api/items/{item}"),
    "a router in a router, a path in a path": Case(
        "/api/inner/things/a/b", 200, "/api/inner/things/{thing}", method="POST"
    ),
    "a mounted application": Case("/shop/products/1", 200, "/shop/products/{product}"),
    "a mounted application that is instrumented too": Case("/branch/products/1", 200, "/branch/products/{product}"),
    "a dependency that is closed": Case("/api/lent", 200, "/api/lent"),
    "nothing there": Case("/nowhere/1", 404, "unmatched"),
    "nothing there in a mounted application": Case("/shop/nowhere", 404, "unmatched"),
    "a slash too many": Case("/api/items/1/", 307, "unmatched"),
    "another method": Case("/api/items/1", 405, "/api/items/{item}", method="DELETE"),
    "a method nobody knows": Case("/api/items/1", 405, "/api/items/{item}", method="BREW"),
    "a preflight": Case("/api/items/1", 200, "unmatched", method="OPTIONS", headers=PREFLIGHT),
    "not found, says the route": Case("/api/items/404", 404, "/api/items/{item}"),
    "a wrong parameter": Case("/api/items/one", 422, "/api/items/{item}"),
    "unavailable, says the route": Case("/api/items/503", 503, "/api/items/{item}", error="HTTPException"),
    "an exception in a sync route": Case("/api/sync-error", 500, "/api/sync-error", error="ValueError"),
    "an exception in an async route": Case("/api/async-error", 500, "/api/async-error", error="ValueError"),
    "an exception in a dependency": Case("/api/dependency-error", 500, "/api/dependency-error", error="ValueError"),
    "an exception in a middleware": Case("/api/items/1?middleware", 500, "unmatched", error="ValueError"),
    "an exception in an exception handler": Case("/api/doubly-broken", 500, "/api/doubly-broken", error="ValueError"),
    "an exception turned into a 503": Case("/api/handled-error", 503, "/api/handled-error", error="HandledError"),
    "an exception turned into a 409": Case("/api/refused", 409, "/api/refused"),
    "an exception with a cause": Case("/api/nested", 500, "/api/nested", error="RuntimeError"),
    "an exception group": Case("/api/group", 500, "/api/group", error="ExceptionGroup"),
    "a time-out": Case("/api/timeout", 500, "/api/timeout", error="TimeoutError"),
    "a stream": Case("/api/stream", 200, "/api/stream", stream="stream"),
    "a stream that breaks": Case("/api/broken-stream", 500, "/api/broken-stream", stream="stream", error="ValueError"),
    "a background task": Case("/api/background", 200, "/api/background"),
}


@pytest.fixture(params=["sampled", "not sampled"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Recorded, bool]]:
    sampled = request.param == "sampled"
    branch = shop()
    app = application(shop=shop(), branch=branch)
    for recorded in record(Settings(sentry_sample_rate=float(sampled), slow_request_seconds=1.0)):
        with telemetry.instrument_fastapi(branch), telemetry.instrument_fastapi(app):
            async with serving(app) as address:
                yield address, recorded, sampled


async def ask(address: str, case: Case) -> int:
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        async with client.stream(case.method, case.path, headers=case.headers) as response:
            with suppress(httpx.RemoteProtocolError):  # how a broken stream ends
                await response.aread()
            return response.status_code


@pytest.mark.parametrize("name", ["a route of an included router", "a stream", "an exception in an async route"])
async def test_a_function_as_middleware_changes_nothing(recorded: Recorded, name: str) -> None:
    app, case = application(passing_on=True), CASES[name]
    with telemetry.instrument_fastapi(app):
        async with serving(app) as address:
            assert await ask(address, case) == case.status
    (span,) = servers(recorded)
    check_span(span, case)
    assert recorded.metrics()["http.requests"] == {(case.endpoint, case.method, str(case.status)): 1}
    assert ("http.stream.duration" in recorded.metrics()) == bool(case.stream)


def servers(recorded: Recorded) -> list[ReadableSpan]:
    return [span for span in recorded.spans if span.kind is SpanKind.SERVER]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_request_is_one_server_span_and_one_count(server: tuple[str, Recorded, bool], case: Case) -> None:
    address, recorded, sampled = server
    assert await ask(address, case) == (200 if case.stream else case.status)
    method = case.method if case.method != "BREW" else "other"
    metrics = recorded.metrics()
    assert metrics["http.requests"] == {(case.endpoint, method, str(case.status)): 1}
    if case.stream:
        assert metrics["http.stream.duration"] == {(case.endpoint, case.stream): 1}
    assert metrics.get("http.request.duration", {}) == ({} if case.stream else {(case.endpoint, method): 1})
    assert metrics.get("errors", {}) == ({("api", case.error): 1} if case.error else {})
    assert [type(error).__name__ for error in recorded.sentry.errors] == ([case.error] if case.error else [])
    left = servers(recorded)
    assert [span.name for span in left] == ([case.name] if sampled or case.status >= 500 else [])
    for span in left:
        check_span(span, case)


def check_span(span: ReadableSpan, case: Case) -> None:
    attributes = dict(span.attributes or {})
    assert span.parent is None
    assert attributes.get("http.route") == (None if case.endpoint == "unmatched" else case.endpoint)
    assert (span.status.status_code is StatusCode.ERROR) == (case.status >= 500)
    assert ("sentry.event_id" in attributes) == bool(case.error)
    assert "secret" not in span.to_json()


async def test_a_503_raised_from_an_error_that_was_reported_is_not_another_one(
    server: tuple[str, Recorded, bool],
) -> None:
    address, recorded, _ = server
    assert await ask(address, Case("/api/busy", 503, "/api/busy")) == 503
    assert recorded.metrics()["errors"] == {("agent", "ValueError"): 1}
    assert len(recorded.sentry.errors) == 1
    (span,) = servers(recorded)
    assert span.status.status_code is StatusCode.ERROR
    assert "sentry.event_id" in (span.attributes or {})


async def test_children_of_a_sampled_request_only(server: tuple[str, Recorded, bool]) -> None:
    address, recorded, sampled = server
    await ask(address, CASES["a route of an included router"])
    assert [span.name for span in recorded.spans] == (["inside", "GET /api/items/{item}"] if sampled else [])


async def test_a_slow_request_leaves_its_root_span_always(server: tuple[str, Recorded, bool]) -> None:
    address, recorded, sampled = server
    await ask(address, Case("/api/slow", 200, "/api/slow"))
    (span,) = recorded.spans
    assert (span.name, span.status.status_code) == ("GET /api/slow", StatusCode.UNSET)
    assert dict(span.attributes or {}).get("sampling.reason") == (None if sampled else "slow")
    assert span.end_time is not None
    assert span.start_time is not None
    assert 1e9 < span.end_time - span.start_time < 3e9


async def test_an_excluded_path_leaves_nothing(server: tuple[str, Recorded, bool]) -> None:
    address, recorded, _ = server
    assert await ask(address, Case("/api/health", 200, "")) == 200
    assert recorded.spans == []
    assert "http.requests" not in recorded.metrics()


async def test_a_client_that_goes_away_is_no_error(server: tuple[str, Recorded, bool]) -> None:
    address, recorded, sampled = server
    async with httpx.AsyncClient(base_url=f"http://{address}") as client, client.stream("GET", "/api/sse") as response:
        await anext(response.aiter_bytes())
    await until(lambda: "http.requests" in recorded.metrics())
    assert recorded.metrics()["http.requests"] == {("/api/sse", "GET", "499"): 1}
    assert recorded.metrics()["http.stream.duration"] == {("/api/sse", "sse"): 1}
    assert recorded.sentry.errors == []
    assert len(servers(recorded)) == sampled


@pytest.mark.parametrize("fail", [False, True], ids=["well", "failing"])
async def test_a_background_task_is_linked_and_outside_the_request(
    server: tuple[str, Recorded, bool], *, fail: bool
) -> None:
    address, recorded, sampled = server
    await ask(address, Case(f"/api/background?fail={fail}", 200, "/api/background"))
    await asyncio.sleep(0.4)
    found = {span.name: span for span in recorded.spans}
    tasks = [span for name, span in found.items() if name == "background later"]
    assert len(tasks) == (sampled or fail)
    for task in tasks:
        check_background_task(task, found.get("GET /api/background"), fail=fail)
    assert recorded.metrics().get("errors", {}) == ({("api", "ValueError"): 1} if fail else {})


def check_background_task(task: ReadableSpan, request: ReadableSpan | None, *, fail: bool) -> None:
    assert task.parent is None
    assert len(task.links) == 1
    assert (task.status.status_code is StatusCode.ERROR) == fail
    assert ("sentry.event_id" in (task.attributes or {})) == fail
    if request is not None:
        assert request.context is not None
        assert request.end_time is not None
        assert task.links[0].context.span_id == request.context.span_id
        assert request.end_time - (request.start_time or 0) < 0.15e9


@pytest.mark.parametrize("said", ["hello", "fail"])
async def test_a_websocket_is_one_span_and_no_request(server: tuple[str, Recorded, bool], said: str) -> None:
    address, recorded, sampled = server
    async with connect(f"ws://{address}/api/talk/7") as socket:
        await socket.send(said)
        if said == "hello":
            assert await socket.recv() == "hello"
    await until(lambda: "http.stream.duration" in recorded.metrics())
    assert recorded.metrics()["http.stream.duration"] == {("/api/talk/{room}", "websocket"): 1}
    assert "http.requests" not in recorded.metrics()
    failed = said == "fail"
    assert [span.name for span in servers(recorded)] == ["websocket /api/talk/{room}"] * (sampled or failed)
    assert recorded.metrics().get("errors", {}) == ({("api", "ValueError"): 1} if failed else {})


async def until(done: object) -> None:
    assert callable(done)
    for _ in range(200):
        if done():
            return
        await asyncio.sleep(0.02)
    raise TimeoutError
