"""A real python-telegram-bot application against the local Bot API server: each update once, as what it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from opentelemetry.trace import StatusCode
from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters

import telemetry
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from telemetry.instrumentation._updates import current_work
from tests.conftest import Recorded

ONE_TURN = ["inside", "telegram.api.sendMessage", "telegram.handle_message", "telegram.update"]
AnyApplication = Application[Any, Any, Any, Any, Any, Any]
Context = ContextTypes.DEFAULT_TYPE


async def start_command(update: Update, _: Context) -> None:
    assert update.message is not None
    await update.message.reply_text("Hello")


async def handle_message(update: Update, _: Context) -> None:
    assert update.message is not None
    with telemetry.get_tracer().start_as_current_span("inside"):
        await asyncio.sleep(0.01)
    if update.message.text == "fail":
        raise ZeroDivisionError("secret detail")
    await update.message.reply_text("Noted")


async def excuse(update: object, _: Context) -> None:
    assert isinstance(update, Update)
    assert update.effective_message is not None
    await update.effective_message.reply_text("Sorry")


class Chat:
    """The users' side."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def write(self, user: int, text: str) -> str:
        """Write a text and wait for the answer."""
        before = len((await self._client.get(f"/control/chats/{user}/messages")).json())
        body = {"user_id": user, "username": f"user{user}", "kind": "text", "text": text}
        (await self._client.post("/control/updates", json=body)).raise_for_status()
        waited = {"after": before, "timeout": 10}
        answers = (await self._client.get(f"/control/chats/{user}/messages", params=waited)).json()
        return str(answers[-1]["text"])


@asynccontextmanager
async def running(*, concurrent: bool) -> AsyncIterator[tuple[AnyApplication, Chat]]:
    async with serve(Pace(scale=0)) as addresses:
        url = addresses.url("telegram")
        builder = Application.builder().token(addresses.environment()["TELEGRAM_BOT_TOKEN"])
        builder = builder.base_url(f"{url}/bot").base_file_url(f"{url}/file/bot").concurrent_updates(concurrent)
        application = builder.build()
        application.add_handler(CommandHandler("start", start_command))
        application.add_handler(MessageHandler(filters.TEXT, handle_message))
        application.add_error_handler(excuse)
        async with application, httpx.AsyncClient(base_url=url, timeout=20) as client:
            await application.start()
            assert application.updater is not None
            await application.updater.start_polling(timeout=1)
            yield application, Chat(client)
            await application.updater.stop()
            await application.stop()


@pytest.fixture(params=[False, True], ids=["one by one", "concurrent"])
async def bot(request: pytest.FixtureRequest, recorded: Recorded) -> AsyncIterator[tuple[AnyApplication, Chat]]:
    async with running(concurrent=request.param) as (application, chat):
        with telemetry.instrument_telegram(application):
            yield application, chat


async def settled(recorded: Recorded, updates: int) -> None:
    """Wait until this many updates are done; the answer arrives before the handler returns."""
    while sum(span.name == "telegram.update" for span in recorded.spans) < updates:  # noqa: ASYNC110 - spans tell nobody
        await asyncio.sleep(0.01)


async def test_each_update_is_counted_as_what_it_was(bot: tuple[AnyApplication, Chat], recorded: Recorded) -> None:
    _, chat = bot
    assert await chat.write(1, "/start") == "Hello"
    assert await chat.write(2, "an apple") == "Noted"
    assert await chat.write(2, "fail") == "Sorry"
    await settled(recorded, 3)
    metrics = recorded.metrics()
    expected = {("command", "success"): 1, ("text", "success"): 1, ("text", "error"): 1}
    assert metrics["telegram.messages"] == expected
    assert metrics["telegram.message.duration"] == {("command",): 1, ("text",): 2}
    assert metrics["telegram.commands"] == {("start",): 1}
    assert metrics["telegram.handler.errors"] == {("handle_message",): 1}
    assert metrics["errors"] == {("bot", "ZeroDivisionError"): 1}


async def test_while_all_is_off_an_update_passes_and_nothing_is_made_for_it(
    bot: tuple[AnyApplication, Chat], recorded: Recorded
) -> None:
    application, chat = bot
    switches = recorded.runtime.switches
    seen: list[object] = []

    async def look(update: Update, _: Context) -> None:
        del update
        seen.append(current_work.get())

    application.add_handler(MessageHandler(filters.TEXT, look), group=-1)
    switches.tracing = switches.metrics = switches.sentry = False
    assert await chat.write(1, "an apple") == "Noted"
    assert await chat.write(1, "fail") == "Sorry"
    assert (seen, recorded.spans) == ([None, None], [])
    switches.tracing = switches.metrics = switches.sentry = True
    assert await chat.write(1, "an apple") == "Noted"
    await settled(recorded, 1)
    assert seen[2] is not None
    assert recorded.metrics()["telegram.messages"] == {("text", "success"): 1}


async def test_an_update_is_one_trace_with_its_user(bot: tuple[AnyApplication, Chat], recorded: Recorded) -> None:
    _, chat = bot
    await asyncio.gather(*(chat.write(user, "an apple") for user in range(1, 9)))
    await settled(recorded, 8)
    traces: dict[int, list[Any]] = {}
    for span in recorded.spans:
        assert span.context is not None
        traces.setdefault(span.context.trace_id, []).append(span)
    assert len(traces) == 8
    for spans in traces.values():
        assert sorted(span.name for span in spans) == ONE_TURN
        assert (
            len(
                {
                    span.attributes["user.id"]
                    for span in spans
                    if span.name in ("telegram.update", "telegram.handle_message")
                }
            )
            == 1
        )


async def test_an_error_that_leaves_a_handler_is_on_its_span_and_sent(
    bot: tuple[AnyApplication, Chat], recorded: Recorded
) -> None:
    _, chat = bot
    assert await chat.write(3, "fail") == "Sorry"
    await settled(recorded, 1)
    span = recorded.span("telegram.handle_message")
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes or {})["sentry.event_id"] == f"{1:032x}"
    assert [type(error) for error in recorded.sentry.errors] == [ZeroDivisionError]


async def test_a_bot_that_is_not_instrumented_is_left_alone(recorded: Recorded) -> None:
    async with running(concurrent=False) as (application, chat):
        handle = telemetry.instrument_telegram(application)
        handle.close()
        assert await chat.write(1, "an apple") == "Noted"
        assert [span.name for span in recorded.spans if "telegram.api" not in span.name] == ["inside"]
        with telemetry.instrument_telegram(application):
            assert await chat.write(1, "an apple") == "Noted"
            await settled(recorded, 1)
        assert recorded.metrics()["telegram.messages"] == {("text", "success"): 1}


async def test_the_token_and_the_text_are_nowhere(bot: tuple[AnyApplication, Chat], recorded: Recorded) -> None:
    application, chat = bot
    with telemetry.instrument_httpx():
        await chat.write(1, "my secret diary")
        await settled(recorded, 1)
    exported = "".join(span.to_json() for span in recorded.spans)
    assert "secret" not in exported
    assert application.bot.token not in exported
