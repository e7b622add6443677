"""A crowd that would make telemetry expensive, as a process of its own; prints what it cost as JSON.

`python -m tests.integration.telemetry.crowd USERS`: each user writes to a bot and asks an API, a quarter of them
once more, with commands, paths, methods and exceptions that nobody has seen before.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, NoReturn

import psutil
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families
from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters

import telemetry
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from telemetry.catalog import CATALOG

app = FastAPI()
Context = ContextTypes.DEFAULT_TYPE


def fail(kind: str) -> NoReturn:
    raise type(kind, (Exception,), {})(kind)


@app.get("/items/{item}")
async def read(item: str) -> str:
    return item


@app.get("/fail/{kind}")
async def fail_as(kind: str) -> None:
    fail(kind)


async def answer(update: Update, context: Context) -> None:
    if update.message and (update.message.text or "").startswith("fail"):
        fail(update.message.text or "")


async def ignore(_: object, __: Context) -> None:
    """Handle errors, or the library logs each with its traceback."""


async def write(application: Any, user: int, number: int) -> None:
    """Let a user write a command, or a text that fails or not."""
    text = (f"/command{number}", f"hello {number}", f"fail{number}")[number % 3]
    entities = [{"type": "bot_command", "offset": 0, "length": len(text)}] if text.startswith("/") else []
    message = {"message_id": number, "date": 1700000000, "text": text, "entities": entities,
               "from": {"id": user, "is_bot": False, "first_name": f"name {user}"},
               "chat": {"id": user, "type": "private", "first_name": "a"}}  # fmt: skip
    await application.process_update(Update.de_json({"update_id": number, "message": message}, application.bot))


async def request(method: str, path: str) -> bytes:
    """Ask the API as its server would; what it has answered."""
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
             "raw_path": path.encode(), "root_path": "", "scheme": "http", "query_string": b"", "headers": [],
             "client": ("10.0.0.7", 1), "server": ("api", 80)}  # fmt: skip
    answered = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        answered.append(message.get("body", b""))

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001 - as a server does
        error.__traceback__ = None
    return b"".join(answered)


def asked(number: int) -> tuple[str, str]:
    """A method and a path, of four kinds in turn."""
    return (("GET", f"/items/{number}"), ("GET", f"/unknown/{number}"), (f"VERB{number}", "/items/1"),
            ("GET", f"/fail/Kind{number}"))[number % 4]  # fmt: skip


async def crowd(application: Any, users: range, first: int) -> None:
    for number, user in enumerate(users, first):
        await write(application, user, number)
        await request(*asked(number))


def held() -> float:
    gc.collect()
    return round(psutil.Process().memory_info().rss / 2**20, 1)


async def series_of() -> dict[str, tuple[int, int]]:
    """How many series each metric has on /metrics, and may have."""
    bounds = {metric.prometheus.removesuffix("_total"): metric.series_bound for metric in CATALOG.values()}
    families = text_string_to_metric_families((await request("GET", "/metrics")).decode())
    found = {family.name.removesuffix("_total"): len(family.samples) for family in families}
    return {name: (count, bounds[name]) for name, count in found.items() if name in bounds}


async def main(users: int) -> dict[str, Any]:
    """Let the crowd in, and a part of it again; tell what was held before, between and after."""
    telemetry.init()
    async with serve(Pace(scale=0)) as addresses:
        builder = Application.builder().token("123456789:AAlocal_bot_token_that_opens_nothing")
        async with builder.base_url(f"{addresses.url('telegram')}/bot").updater(None).build() as application:
            application.add_handlers([CommandHandler("start", answer), MessageHandler(filters.ALL, answer)])
            application.add_error_handler(ignore)
            with telemetry.instrument_telegram(application), telemetry.instrument_fastapi(app):
                memory, first = [held()], 1
                for again in (users, users // 4):
                    await crowd(application, range(again), first)
                    first += again
                    memory.append(held())
                return {"series": await series_of(), "memory_mib": memory}


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    sys.stdout.write(json.dumps(asyncio.run(main(int(sys.argv[1])))))
