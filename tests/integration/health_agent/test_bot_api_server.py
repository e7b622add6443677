"""The local Bot API server keeps to the real one's protocol, seen through python-telegram-bot itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest
from telegram import Bot, ReplyParameters
from telegram.error import BadRequest, Conflict, InvalidToken, RetryAfter

from examples.health_agent.local import servers
from examples.health_agent.local.service import Pace
from examples.health_agent.local.telegram import TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

USER = {"user_id": 5, "username": "ann", "kind": "text"}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with servers.serve(Pace(scale=0)) as addresses:
        yield addresses.url("telegram")


@pytest.fixture
async def bot(url: str) -> AsyncIterator[Bot]:
    async with Bot(TOKEN, base_url=f"{url}/bot", base_file_url=f"{url}/file/bot") as bot:
        yield bot


async def write(url: str, text: str) -> None:
    async with httpx.AsyncClient() as client:
        (await client.post(f"{url}/control/updates", json=USER | {"text": text})).raise_for_status()


async def test_a_wrong_token_is_refused(url: str) -> None:
    bot = Bot("1:wrong", base_url=f"{url}/bot")
    with pytest.raises(InvalidToken):
        await bot.initialize()
    await bot.shutdown()


async def test_an_update_waits_until_it_is_confirmed(bot: Bot, url: str) -> None:
    await write(url, "hello")
    [update] = await bot.get_updates()
    assert await bot.get_updates() == (update,)
    assert await bot.get_updates(offset=update.update_id + 1) == ()


async def test_a_long_poll_ends_when_an_update_comes(bot: Bot, url: str) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await asyncio.sleep(0.1)
    await write(url, "/start now")
    async with asyncio.timeout(3):
        [update] = await poll
    assert update.message is not None
    assert [entity.type for entity in update.message.entities] == ["bot_command"]


async def test_updates_that_are_not_allowed_are_kept_back(bot: Bot, url: str) -> None:
    await write(url, "hello")
    assert await bot.get_updates(allowed_updates=["callback_query"]) == ()


async def test_a_second_poll_ends_the_first(bot: Bot, url: str) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=5))
    await asyncio.sleep(0.1)
    async with httpx.AsyncClient() as another:
        assert (await another.get(f"{url}/bot{TOKEN}/getUpdates")).json() == {"ok": True, "result": []}
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await first


async def test_an_unknown_chat_is_a_bad_request(bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await bot.send_message(404, "hello")


async def test_an_empty_text_is_a_bad_request(bot: Bot, url: str) -> None:
    await write(url, "hello")
    with pytest.raises(BadRequest, match="Message text is empty"):
        await bot.send_message(5, " ")


async def test_flood_control_says_how_long_to_wait(bot: Bot, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PTB_TIMEDELTA", "true")  # the form python-telegram-bot goes over to
    await write(url, "hello")
    async with httpx.AsyncClient() as client:
        await client.post(f"{url}/control/flood", json={"chat_id": 5, "retry_after": 7})
    with pytest.raises(RetryAfter, match="Retry in"):
        await bot.send_message(5, "hi")
    assert (await bot.send_message(5, "hi")).text == "hi"


async def test_options_travel_as_the_real_api_takes_them(bot: Bot, url: str) -> None:
    await write(url, "hello")
    sent = await bot.send_message(5, "hi", reply_parameters=ReplyParameters(message_id=1))
    assert (await sent.edit_text("changed")) is not True
