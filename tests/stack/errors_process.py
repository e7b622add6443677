"""Each kind of error once, in a real API and a real bot: `python -m tests.stack.errors_process RUN DATABASE`.

Each error's event carries the tags `run` and `kind`.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import httpx
import psycopg
from fastapi import BackgroundTasks, Depends, FastAPI
from telegram import Update
from telegram.ext import Application, ContextTypes, TypeHandler

import telemetry
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from tests.integration.telemetry.test_telegram_kinds import UPDATES
from tests.integration.telemetry.web import serving

RUN, DATABASE = sys.argv[1:3]
app = FastAPI()


def begin(kind: str) -> None:
    """Name the kind on whatever event comes of it."""
    telemetry.set_tag("run", RUN)
    telemetry.set_tag("kind", kind)


def fail(kind: str) -> None:
    begin(kind)
    raise ValueError(kind)


@app.get("/sync-route")
def sync_route() -> None:
    fail("sync route")


@app.get("/async-route")
async def async_route() -> None:
    fail("async route")


@app.get("/dependency", dependencies=[Depends(lambda: fail("dependency"))])
async def dependency() -> None:
    """Never run."""


@app.get("/background")
async def background(tasks: BackgroundTasks) -> None:
    tasks.add_task(fail, "background task")


@app.get("/thread")
def thread() -> None:
    begin("thread")
    started = threading.Thread(target=broken_thread)
    started.start()
    started.join()


def broken_thread() -> None:
    raise ValueError("thread")


@app.get("/sql")
async def sql() -> None:
    begin("SQL error")
    async with await psycopg.AsyncConnection.connect(DATABASE) as connection:
        await connection.execute("SELECT * FROM nothing_of_this_name")


@app.get("/time-out")
async def time_out() -> None:
    begin("time-out")
    async with asyncio.timeout(0.01):
        await asyncio.sleep(1)


@app.get("/cancelled")
async def cancelled() -> None:
    begin("cancelled")
    work = asyncio.create_task(asyncio.sleep(1))
    work.cancel()
    try:
        await work
    except asyncio.CancelledError as error:
        raise RuntimeError("the work was cancelled") from error


@app.get("/nested")
async def nested() -> None:
    begin("nested")
    try:
        int("nothing")
    except ValueError as error:
        raise RuntimeError("nested") from error


@app.get("/group")
async def group() -> None:
    begin("exception group")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.to_thread(fail, "exception group"))
        tasks.create_task(asyncio.to_thread(fail, "exception group"))


class Middleware:
    """Fails where the path asks for it."""

    def __init__(self, inner: Any) -> None:
        self.app = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/middleware":
            fail("middleware")
        await self.app(scope, receive, send)


async def handler(_: Update, __: ContextTypes.DEFAULT_TYPE) -> None:
    fail("handler")


async def job(_: ContextTypes.DEFAULT_TYPE) -> None:
    fail("job")


async def ask_api() -> None:
    """Send a request to each route."""
    paths = [route.path for route in app.routes if getattr(route, "endpoint", None) and route.path.count("/") == 1]  # type: ignore[attr-defined]
    async with serving(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        for path in (*paths, "/middleware"):
            await client.get(path, headers={"Connection": "close"})


async def ask_bot() -> None:
    """Send an update, and let a job run."""
    async with serve(Pace(scale=0)) as addresses:
        builder = Application.builder().token(addresses.environment()["TELEGRAM_BOT_TOKEN"])
        async with builder.base_url(f"{addresses.url('telegram')}/bot").build() as application:
            application.add_handler(TypeHandler(Update, handler))
            assert application.job_queue is not None
            with telemetry.instrument_telegram(application):
                await application.start()
                update = Update.de_json({"update_id": 1, **UPDATES["text"][0]}, application.bot)
                await application.process_update(update)
                application.job_queue.run_once(job, 0)
                await asyncio.sleep(0.5)
                await application.stop()


async def main() -> None:
    """Make all errors happen."""
    telemetry.init(strict=True)
    app.add_middleware(Middleware)
    with telemetry.instrument_psycopg(), telemetry.instrument_fastapi(app):
        await ask_api()
        await ask_bot()
    telemetry.shutdown(10)


if __name__ == "__main__":
    asyncio.run(main())
