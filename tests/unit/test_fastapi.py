"""FastAPI in the process: one span a request, named by its route; true metrics; errors inside their span."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from opentelemetry.trace import StatusCode, format_trace_id, get_current_span

import telemetry
from tests.conftest import Recorded

router = APIRouter(prefix="/api")
mounted = FastAPI()


@router.get("/foods/{food_id}")
async def read_food(food_id: int) -> dict[str, int]:
    if food_id == 404:
        raise HTTPException(404)
    return {"id": food_id}


@router.get("/boom")
async def boom() -> None:
    telemetry.set_user_context("42")
    raise ZeroDivisionError("no goal")


@router.get("/stream")
async def stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    return StreamingResponse(chunks())


@router.get("/later")
async def later(tasks: BackgroundTasks) -> None:
    tasks.add_task(lambda: None)


@router.get("/health")
async def health() -> str:
    with telemetry.get_tracer().start_as_current_span("below health"):
        return format_trace_id(get_current_span().get_span_context().trace_id)


@mounted.get("/items/{item}")
async def read_item(item: int) -> int:
    return item


def application() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    app.mount("/shop", mounted)
    return app


@pytest.fixture
def app(recorded: Recorded) -> Iterator[FastAPI]:
    app = application()
    with telemetry.instrument_fastapi(app):
        yield app


async def get(app: FastAPI, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


CASES = [
    ("/api/foods/1", 200, "/api/foods/{food_id}"),
    ("/api/foods/404", 404, "/api/foods/{food_id}"),
    ("/api/foods/none", 422, "/api/foods/{food_id}"),
    ("/api/foods/1?secret=x", 200, "/api/foods/{food_id}"),
    ("/api/boom", 500, "/api/boom"),
    ("/api/later", 200, "/api/later"),
    ("/shop/items/3", 200, "/shop/items/{item}"),
    ("/nowhere/123", 404, "unmatched"),
    ("/shop/nowhere", 404, "unmatched"),
]


@pytest.mark.parametrize(("path", "status", "endpoint"), CASES, ids=[path for path, _, _ in CASES])
async def test_a_request_counts_once_under_its_route_and_has_one_span(
    app: FastAPI, recorded: Recorded, path: str, status: int, endpoint: str
) -> None:
    assert (await get(app, path)).status_code == status
    metrics = recorded.metrics()
    assert metrics["http.requests"] == {(endpoint, "GET", str(status)): 1}
    assert metrics["http.request.duration"] == {(endpoint, "GET"): 1}
    (span,) = [span for span in recorded.spans if not span.name.startswith("background")]
    assert span.name == ("GET" if endpoint == "unmatched" else f"GET {endpoint}")
    assert "secret" not in span.to_json()


async def test_a_stream_is_measured_apart(app: FastAPI, recorded: Recorded) -> None:
    assert (await get(app, "/api/stream")).content == b"ab"
    metrics = recorded.metrics()
    assert metrics["http.requests"] == {("/api/stream", "GET", "200"): 1}
    assert metrics["http.stream.duration"] == {("/api/stream", "stream"): 1}
    assert "http.request.duration" not in metrics


async def test_a_background_task_is_a_trace_of_its_own(app: FastAPI, recorded: Recorded) -> None:
    await get(app, "/api/later")
    request, task = recorded.span("GET /api/later"), recorded.span("background <lambda>")
    assert task.parent is None
    assert request.context is not None
    assert [link.context.span_id for link in task.links] == [request.context.span_id]


class Around:
    """A layer of somebody else's around all others; `app` is what it serves."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, *message: Any) -> None:
        await self.app(*message)


class Hiding:
    """One that does not tell what it serves."""

    def __init__(self, app: Any) -> None:
        self._serve = app

    async def __call__(self, *message: Any) -> None:
        await self._serve(*message)


def answer(_request: Request, _error: Exception) -> Response:
    return Response("sorry", 500)


async def answer_async(_request: Request, _error: Exception) -> Response:
    return Response("sorry", 500)


def answered_by(handler: Callable[..., Any]) -> Callable[[FastAPI], None]:
    return lambda app: app.add_exception_handler(Exception, handler)


def wrapped_in(layer: type) -> Callable[[FastAPI], None]:
    def wrap(app: FastAPI) -> None:
        build = app.build_middleware_stack
        app.build_middleware_stack = lambda: layer(build())  # type: ignore[method-assign]

    return wrap


WAYS_TO_ANSWER: dict[str, Callable[[FastAPI], None]] = {
    "Starlette's": lambda _app: None,
    "debugging": lambda app: setattr(app, "debug", True),
    "a function's": answered_by(answer),
    "a coroutine's": answered_by(answer_async),
    "within somebody else's layer": wrapped_in(Around),
}


@pytest.mark.parametrize("way", WAYS_TO_ANSWER)
async def test_an_unhandled_exception_is_counted_sent_and_on_its_span(recorded: Recorded, way: str) -> None:
    app = application()
    WAYS_TO_ANSWER[way](app)
    with telemetry.instrument_fastapi(app):
        assert (await get(app, "/api/boom")).status_code == 500
    (span,) = recorded.spans
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["user.id"] == "42"
    assert span.attributes["sentry.event_id"] == f"{1:032x}"
    assert [event.name for event in span.events].count("exception") == 1
    assert [type(error) for error in recorded.sentry.errors] == [ZeroDivisionError]
    assert recorded.metrics()["errors"] == {("api", "ZeroDivisionError"): 1}


async def test_an_exception_is_counted_and_sent_where_nobody_tells_what_answers_it(recorded: Recorded) -> None:
    app = application()
    wrapped_in(Hiding)(app)
    with telemetry.instrument_fastapi(app):
        await get(app, "/api/boom")
    assert [type(error) for error in recorded.sentry.errors] == [ZeroDivisionError]
    assert recorded.metrics()["errors"] == {("api", "ZeroDivisionError"): 1}


async def test_an_http_exception_is_no_error(app: FastAPI, recorded: Recorded) -> None:
    await get(app, "/api/foods/404")
    assert recorded.sentry.errors == []
    assert "errors" not in recorded.metrics()


async def test_an_excluded_path_leaves_nothing_and_no_child_span(app: FastAPI, recorded: Recorded) -> None:
    assert (await get(app, "/api/health")).status_code == 200
    assert recorded.spans == []
    assert "http.requests" not in recorded.metrics()


async def test_closing_undoes_only_this_application(recorded: Recorded) -> None:
    first, second = application(), application()
    handle, other = telemetry.instrument_fastapi(first), telemetry.instrument_fastapi(second)
    handle.close()
    handle.close()
    await get(first, "/nowhere")
    assert "http.requests" not in recorded.metrics()
    await get(second, "/nowhere")
    assert recorded.metrics()["http.requests"] == {("unmatched", "GET", "404"): 1}
    other.close()
    with telemetry.instrument_fastapi(first):
        await get(first, "/nowhere")
    assert recorded.metrics()["http.requests"] == {("unmatched", "GET", "404"): 2}
