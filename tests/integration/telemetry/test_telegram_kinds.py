"""Every kind of update and handler, each accounted once, as what it was; on a real application with a real Bot API."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from telegram import Update
from telegram.error import TelegramError
from telegram.ext import (
    Application,
    ApplicationHandlerStop,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    InlineQueryHandler,
    MessageHandler,
    TypeHandler,
    filters,
)

import telemetry
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from telemetry.settings import Settings
from tests.conftest import Recorded, record

AnyApplication = Application[Any, Any, Any, Any, Any, Any]
Context = ContextTypes.DEFAULT_TYPE
Json = dict[str, Any]

USER: Json = {"id": 7, "is_bot": False, "first_name": "Anna"}
CHAT: Json = {"id": 7, "type": "private", "first_name": "Anna"}


def message(**content: Any) -> Json:
    return {"message_id": 1, "date": 1700000000, "from": USER, "chat": CHAT} | content


def command(text: str) -> Json:
    return message(text=text, entities=[{"type": "bot_command", "offset": 0, "length": len(text)}])


PHOTO = [{"file_id": "f", "file_unique_id": "f", "width": 10, "height": 10, "file_size": 1234}]
VOICE: Json = {"file_id": "v", "file_unique_id": "v", "duration": 3}
CHANNEL: Json = {"id": -100123, "type": "channel", "title": "News"}
UPDATES: dict[str, tuple[Json, str]] = {
    "text": ({"message": message(text="an apple")}, "text"),
    "command": ({"message": command("/start")}, "command"),
    "photo": ({"message": message(photo=PHOTO)}, "photo"),
    "one of a media group": ({"message": message(photo=PHOTO, media_group_id="g")}, "photo"),
    "voice": ({"message": message(voice=VOICE)}, "voice"),
    "edited": ({"edited_message": message(text="a pear", edit_date=1700000001)}, "text"),
    "channel post": ({"channel_post": {"message_id": 1, "date": 1700000000, "chat": CHANNEL, "text": "news"}}, "text"),
    "button": (
        {"callback_query": {"id": "1", "chat_instance": "1", "from": USER, "message": message(text="x"), "data": "y"}},
        "other",
    ),
    "inline query": ({"inline_query": {"id": "1", "from": USER, "query": "secret", "offset": ""}}, "other"),
    "sticker": ({"message": message(dice={"emoji": "x", "value": 1})}, "other"),
    "poll": ({"poll_answer": {"poll_id": "1", "user": USER, "option_ids": [0], "option_persistent_ids": []}}, "other"),
}


async def handle(update: object, _: Context) -> None:
    """Do nothing."""


async def fail(update: object, _: Context) -> None:
    raise ValueError("secret")


async def stop(update: object, _: Context) -> None:
    raise ApplicationHandlerStop


async def cancel(update: object, _: Context) -> None:
    raise asyncio.CancelledError


async def time_out(update: object, _: Context) -> None:
    async with asyncio.timeout(0.01):
        await asyncio.sleep(1)


async def slow(update: object, _: Context) -> None:
    await asyncio.sleep(0.05)


async def slow_failure(update: object, _: Context) -> None:
    await asyncio.sleep(0.05)
    raise ValueError("late")


async def ask(update: object, _: Context) -> int:
    return 1


async def end(update: object, _: Context) -> int:
    return ConversationHandler.END


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serve(Pace(scale=0)) as addresses:
        yield addresses.url("telegram")


@pytest.fixture
async def application(url: str, recorded: Recorded) -> AsyncIterator[AnyApplication]:
    builder = Application.builder().token("123456789:AAlocal_bot_token_that_opens_nothing")
    application = builder.base_url(f"{url}/bot").base_file_url(f"{url}/file/bot").build()
    async with application:
        await application.start()
        with telemetry.instrument_telegram(application):
            yield application
        await application.stop()


async def process(application: AnyApplication, update: Json | None = None) -> None:
    """Let the application process an update, and its handlers that do not block."""
    data = {"update_id": 1} | (update or UPDATES["text"][0])
    await application.process_update(Update.de_json(data, application.bot))
    await asyncio.sleep(0.1)


def names(recorded: Recorded) -> list[str]:
    return sorted(span.name for span in recorded.spans)


@pytest.mark.parametrize(("update", "kind"), UPDATES.values(), ids=UPDATES.keys())
async def test_an_update_is_counted_as_its_kind(
    application: AnyApplication, recorded: Recorded, update: Json, kind: str
) -> None:
    application.add_handler(TypeHandler(Update, handle))
    await process(application, update)
    assert recorded.metrics()["telegram.messages"] == {(kind, "success"): 1}
    assert names(recorded) == ["telegram.handle", "telegram.update"]
    assert "secret" not in "".join(span.to_json() for span in recorded.spans)


def conversation() -> ConversationHandler[Any]:
    talk: list[Any] = [MessageHandler(filters.TEXT & ~filters.COMMAND, end)]
    return ConversationHandler([CommandHandler("start", ask)], {1: talk}, [])


Expected = tuple[str, list[str], dict[tuple[str, str], float]]
HANDLERS: dict[str, tuple[Callable[[], Any], Expected]] = {
    "a handler": (lambda: TypeHandler(Update, handle), ("success", ["telegram.handle"], {})),
    "none that fits": (lambda: InlineQueryHandler(handle), ("success", [], {})),
    "one that fails": (lambda: TypeHandler(Update, fail), ("error", ["telegram.fail"], {("bot", "ValueError"): 1})),
    "one that stops the others": (lambda: TypeHandler(Update, stop), ("success", ["telegram.stop"], {})),
    "one that times out": (
        lambda: TypeHandler(Update, time_out),
        ("error", ["telegram.time_out"], {("bot", "TimeoutError"): 1}),
    ),
    "one that does not block": (lambda: TypeHandler(Update, slow, block=False), ("success", ["telegram.slow"], {})),
    "one that does not block and fails": (
        lambda: TypeHandler(Update, slow_failure, block=False),
        ("error", ["telegram.slow_failure"], {("bot", "ValueError"): 1}),
    ),
}


@pytest.mark.parametrize(("handler", "expected"), HANDLERS.values(), ids=HANDLERS.keys())
async def test_an_update_ends_as_its_handlers_do(
    application: AnyApplication, recorded: Recorded, handler: Callable[[], Any], expected: Expected
) -> None:
    status, handlers, errors = expected
    application.add_handler(handler())
    await process(application)
    assert recorded.metrics()["telegram.messages"] == {("text", status): 1}
    assert recorded.metrics()["telegram.message.duration"] == {("text",): 1}
    assert [span.name for span in recorded.spans] == [*handlers, "telegram.update"]
    assert recorded.metrics().get("errors", {}) == errors


async def test_a_cancelled_handler_is_cancelled_and_no_error(application: AnyApplication, recorded: Recorded) -> None:
    application.add_handler(TypeHandler(Update, cancel))
    with pytest.raises(asyncio.CancelledError):
        await process(application)
    assert recorded.metrics()["telegram.messages"] == {("text", "cancelled"): 1}
    assert "errors" not in recorded.metrics()


async def test_each_handler_group_has_a_span_and_the_update_is_one(
    application: AnyApplication, recorded: Recorded
) -> None:
    for group, callback in enumerate((handle, fail, slow)):
        application.add_handler(TypeHandler(Update, callback), group)
    await process(application)
    assert names(recorded) == ["telegram.fail", "telegram.handle", "telegram.slow", "telegram.update"]
    assert recorded.metrics()["telegram.messages"] == {("text", "error"): 1}


async def test_what_the_application_says_of_its_user_outlives_the_next_handler(
    application: AnyApplication, recorded: Recorded
) -> None:
    async def name_user(update: object, _: Context) -> None:
        telemetry.set_user_context("7", "anna")

    application.add_handler(TypeHandler(Update, name_user), 0)
    application.add_handler(TypeHandler(Update, fail), 1)
    await process(application)
    assert recorded.sentry.user == {"id": "7"}
    assert dict(recorded.span("telegram.fail").attributes or {})["user.id"] == "7"


async def test_a_conversations_steps_are_named_by_their_own_functions(
    application: AnyApplication, recorded: Recorded
) -> None:
    application.add_handler(conversation())
    await process(application, UPDATES["command"][0])
    await process(application, UPDATES["text"][0])
    assert {"telegram.ask", "telegram.end"} <= set(names(recorded))
    assert recorded.metrics()["telegram.messages"] == {("command", "success"): 1, ("text", "success"): 1}


async def test_a_button_is_an_update_of_its_own(application: AnyApplication, recorded: Recorded) -> None:
    application.add_handler(CallbackQueryHandler(handle))
    await process(application, UPDATES["button"][0])
    assert recorded.metrics()["telegram.messages"] == {("other", "success"): 1}


async def test_an_error_in_an_error_handler_is_counted_too(application: AnyApplication, recorded: Recorded) -> None:
    application.add_handler(TypeHandler(Update, fail))

    async def worse(update: object, _: Context) -> None:
        raise KeyError("worse")

    application.add_error_handler(worse)
    await process(application)
    assert recorded.metrics()["errors"] == {("bot", "ValueError"): 1, ("bot", "KeyError"): 1}
    assert recorded.metrics()["telegram.messages"] == {("text", "error"): 1}


async def test_a_filter_that_fails_makes_the_update_an_error(application: AnyApplication, recorded: Recorded) -> None:
    class Broken(filters.MessageFilter):
        def filter(self, _: object) -> bool:
            raise ZeroDivisionError

    application.add_handler(MessageHandler(Broken(), handle))
    await process(application)
    assert recorded.metrics()["telegram.messages"] == {("text", "error"): 1}
    assert recorded.metrics()["errors"] == {("bot", "ZeroDivisionError"): 1}


@pytest.mark.parametrize(("callback", "status"), [(handle, "success"), (fail, "error")])
async def test_a_job_is_a_trace_of_its_own(
    application: AnyApplication, recorded: Recorded, callback: Any, status: str
) -> None:
    async def remind(context: Context) -> None:
        await callback(None, context)

    assert application.job_queue is not None
    application.job_queue.run_once(remind, 0, name="chat 7")
    await asyncio.sleep(0.3)
    assert recorded.metrics()["telegram.jobs"] == {("remind", status): 1}
    assert names(recorded) == ["telegram.job.remind"]
    assert ("errors" in recorded.metrics()) == (status == "error")


async def test_bot_api_calls_are_counted_by_method_with_flood_control(
    application: AnyApplication, recorded: Recorded, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # the library warns of its own change
    async with httpx.AsyncClient(base_url=url) as client:
        greeting = {"user_id": 7, "username": "anna", "kind": "text", "text": "hello"}
        await client.post("/control/updates", json=greeting)
        await client.post("/control/flood", json={"chat_id": 7, "times": 1, "retry_after": 3})
    with pytest.raises(TelegramError):
        await application.bot.send_message(7, "secret")
    await application.bot.send_message(7, "secret")
    metrics = recorded.metrics()
    assert metrics["telegram.api.calls"] == {("sendMessage", "error"): 1, ("sendMessage", "success"): 1}
    assert metrics["telegram.api.duration"] == {("sendMessage",): 2}
    assert metrics["telegram.flood.control"] == {("sendMessage",): 1}
    assert recorded.series()["telegram.api.in.flight"] == {(): 0}
    assert names(recorded) == ["telegram.api.sendMessage"] * 2
    exported = "".join(span.to_json() for span in recorded.spans)
    assert "secret" not in exported
    assert application.bot.token.partition(":")[2] not in exported


async def test_what_is_known_beforehand_starts_at_zero(application: AnyApplication, recorded: Recorded) -> None:
    application.add_handler(conversation())
    application.add_handler(MessageHandler(filters.TEXT, handle))
    with telemetry.instrument_telegram(application):
        series = recorded.series()
    assert len(series["telegram.messages"]) == 5 * 3
    assert set(series["telegram.handler.errors"]) == {("ask",), ("end",), ("handle",)}
    assert {value for points in series.values() for value in points.values()} == {0}


async def test_a_download_is_a_call_of_its_own(application: AnyApplication, recorded: Recorded, url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        photo = {"user_id": 7, "username": "anna", "kind": "photo", "data": base64.b64encode(b"photo").decode()}
        await client.post("/control/updates", json=photo)
    (update,) = await application.bot.get_updates(timeout=0)
    assert update.message is not None
    file = await update.message.photo[-1].get_file()
    assert bytes(await file.download_as_bytearray()) == b"photo"
    assert names(recorded) == ["telegram.api.download", "telegram.api.getFile"]
    assert "AAlocal" not in "".join(span.to_json() for span in recorded.spans)


async def test_waiting_for_updates_is_counted_and_has_no_span(application: AnyApplication, recorded: Recorded) -> None:
    await application.bot.get_updates(timeout=0)
    assert recorded.metrics()["telegram.api.calls"] == {("getUpdates", "success"): 1}
    assert "telegram.api.duration" not in recorded.metrics()
    assert recorded.spans == []


@pytest.mark.parametrize(("patience", "events"), [(60.0, 0), (0.0001, 1)], ids=["a hiccup", "an outage"])
async def test_failed_polling_is_counted_and_an_error_only_when_it_lasts(
    url: str, patience: float, events: int
) -> None:
    for recorded in record(Settings(polling_patience_seconds=patience)):
        application = Application.builder().token("123456789:AAlocal_bot_token_that_opens_nothing").build()
        application.bot._base_url = "http://127.0.0.1:9/bot123456789:AAlocal_bot_token_that_opens_nothing"
        with telemetry.instrument_telegram(application):
            for _ in range(10):
                with pytest.raises(TelegramError):
                    await application.bot.get_updates(timeout=0)
        assert sum(recorded.metrics()["telegram.polling.errors"].values()) == 10
        assert len(recorded.sentry.errors) == events
        await application.bot.shutdown()
