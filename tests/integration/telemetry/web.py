"""A FastAPI application with a route for each way a request can go, and a real server for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse

import telemetry
from examples.health_agent.local.servers import serve_app

router = APIRouter(prefix="/api")
inner = APIRouter(prefix="/inner")


class HandledError(Exception):
    """Turned into a status of 503."""


class RefusedError(Exception):
    """Turned into a status of 409."""


class DoublyBrokenError(Exception):
    """Its handler fails too."""


def inside() -> None:
    """Do something that leaves a span of its own."""
    with telemetry.get_tracer().start_as_current_span("inside"):
        pass


@router.get("/items/{item}")
def read(item: int) -> int:
    inside()
    if item == 404:
        raise HTTPException(404)
    if item == 503:
        raise HTTPException(503)
    return item


@inner.post("/things/{thing:path}")
async def post(thing: str) -> str:
    return thing


@router.get("/sync-error")
def sync_error() -> None:
    raise ValueError("sync")


@router.get("/async-error")
async def async_error() -> None:
    raise ValueError("async")


def broken() -> None:
    raise ValueError("dependency")


@router.get("/dependency-error", dependencies=[Depends(broken)])
async def dependency_error() -> None:
    """Never run."""


def lent() -> Iterator[int]:
    try:
        yield 1
    finally:
        inside()


@router.get("/lent")
async def use_lent(found: Annotated[int, Depends(lent)]) -> int:
    return found


@router.get("/handled-error")
async def handled_error() -> None:
    raise HandledError


@router.get("/busy")
async def busy() -> None:
    try:
        broken()
    except ValueError as error:
        telemetry.record_error(error, component="agent")
        raise HTTPException(503) from error


@router.get("/refused")
async def refused() -> None:
    raise RefusedError


@router.get("/doubly-broken")
async def doubly_broken() -> None:
    raise DoublyBrokenError


@router.get("/nested")
async def nested() -> None:
    try:
        broken()
    except ValueError as error:
        raise RuntimeError("nested") from error


@router.get("/group")
async def group() -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(async_error())


@router.get("/timeout")
async def time_out() -> None:
    async with asyncio.timeout(0.01):
        await asyncio.sleep(1)


@router.get("/stream")
async def stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        inside()
        yield b"b"

    return StreamingResponse(chunks())


@router.get("/sse")
async def server_sent() -> StreamingResponse:
    async def events() -> AsyncIterator[bytes]:
        for number in range(1000):
            yield b"data: %d\n\n" % number
            await asyncio.sleep(0.01)

    return StreamingResponse(events(), media_type="text/event-stream")


@router.get("/broken-stream")
async def broken_stream() -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("half-way")

    return StreamingResponse(chunks())


@router.get("/background")
async def background(tasks: BackgroundTasks, *, fail: bool = False) -> str:
    tasks.add_task(later, fail=fail)
    return "accepted"


async def later(*, fail: bool) -> None:
    await asyncio.sleep(0.2)
    inside()
    if fail:
        raise ValueError("later")


@router.get("/slow")
async def slow() -> str:
    await asyncio.sleep(1.1)
    return "late"


@router.get("/health")
async def health() -> str:
    inside()
    return "ok"


@router.websocket("/talk/{room}")
async def talk(socket: WebSocket, room: str) -> None:
    await socket.accept()
    said = await socket.receive_text()
    inside()
    if said == "fail":
        raise ValueError(room)
    await socket.send_text(said)
    await socket.close()


async def to_503(_: Request, __: Exception) -> Response:
    return JSONResponse({}, 503)


def to_409(_: Request, __: Exception) -> Response:
    return JSONResponse({}, 409)


async def to_nothing(_: Request, __: Exception) -> Response:
    raise ValueError("handler")


class Middleware:
    """Fails where the query asks for it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("query_string") == b"middleware":
            raise ValueError("middleware")
        await self.app(scope, receive, send)


async def pass_on(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Do nothing; Starlette's base class for such functions passes the answer on in pieces, from another task."""
    return await call_next(request)


def shop() -> FastAPI:
    mounted = FastAPI()

    @mounted.get("/products/{product}")
    async def product(product: int) -> int:
        return product

    return mounted


def application(*, passing_on: bool = False, **mounted: FastAPI) -> FastAPI:
    """Return the application; `mounted` applications stand below their names."""
    app = FastAPI()
    for error, handler in ((HandledError, to_503), (RefusedError, to_409), (DoublyBrokenError, to_nothing)):
        app.add_exception_handler(error, handler)
    router_with_inner = APIRouter()
    router_with_inner.include_router(inner, prefix="/api")
    app.include_router(router)
    app.include_router(router_with_inner)
    for name, part in mounted.items():
        app.mount(f"/{name}", part)
    app.add_middleware(Middleware)
    if passing_on:
        app.middleware("http")(pass_on)
    app.add_middleware(CORSMiddleware, allow_origins=["*"])
    return app


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """Serve on a free loopback port; gives `HOST:PORT`."""
    async with serve_app(app) as port:
        yield f"127.0.0.1:{port}"
