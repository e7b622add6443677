"""A bot, an agent, an API, pools and HTTP clients in one program, which knows of telemetry only if EXPLICIT is set.

Each library's objects are made before anything is instrumented by hand, as they are in an application that grew.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import Any

import httpx
import requests
from fastapi import FastAPI
from openai import AsyncOpenAI
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from telegram import Update
from telegram.ext import Application, CommandHandler, ContextTypes, MessageHandler, filters

from examples.health_agent.local.servers import serve_app

USER = {"id": 7, "is_bot": False, "first_name": "Anna"}
USDA = os.environ["USDA_API_URL"]
QUERY = "SELECT name FROM foods WHERE id = %s"


class Service:
    """All of it, made and not yet started."""

    def __init__(self) -> None:
        self.pool = AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=2, open=False)
        self.sync_pool = ConnectionPool(os.environ["DATABASE_URL"], min_size=1, max_size=3, open=False)
        client = AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="key", max_retries=0)
        self.agent = Agent(OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client)))
        self.app = FastAPI()
        self.app.get("/foods/{food}")(self.food)
        builder = Application.builder().token(os.environ["TELEGRAM_BOT_TOKEN"])
        self.bot = builder.base_url(f"{os.environ['TELEGRAM_API_URL']}/bot").updater(None).build()
        self.bot.add_handler(CommandHandler("start", self.start))
        self.bot.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, self.text))

    async def food(self, food: int) -> str:
        async with self.pool.connection() as connection:
            found = await (await connection.execute(QUERY, (food,))).fetchone()
        return str(found)

    async def start(self, update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        with self.sync_pool.connection() as connection:
            connection.execute(QUERY, (1,))
        assert update.message
        await update.message.reply_text("Hello")

    async def text(self, update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message
        await asyncio.to_thread(requests.get, f"{USDA}/v1/foods/search", timeout=5)
        async with httpx.AsyncClient() as client:
            await client.get(f"{USDA}/v1/foods/search")
        answer = await self.agent.run(update.message.text)
        await update.message.reply_text(str(answer.output)[:100])

    def updates(self) -> list[Update]:
        chat: dict[str, Any] = {"message_id": 1, "date": 1, "chat": {"id": 7, "type": "private"}, "from": USER}
        entity = {"type": "bot_command", "offset": 0, "length": 6}
        messages = [chat | {"text": "/start", "entities": [entity]}, chat | {"text": "What is in an apple?"}]
        return [
            Update.de_json({"update_id": number, "message": message}, self.bot.bot)
            for number, message in enumerate(messages)
        ]


async def main() -> None:
    service = Service()
    if os.environ.get("EXPLICIT"):
        instrument(service)
    await service.pool.open()
    service.sync_pool.open()
    async with AsyncExitStack() as running:
        port = await running.enter_async_context(serve_app(service.app))
        await running.enter_async_context(service.bot)
        await asyncio.to_thread(requests.get, f"http://127.0.0.1:{port}/foods/1", timeout=5)
        for update in service.updates():
            await service.bot.process_update(update)
    await service.pool.close()
    service.sync_pool.close()


def instrument(service: Service) -> None:
    import telemetry  # noqa: PLC0415 - only where it is asked for

    telemetry.init()
    telemetry.instrument_fastapi(service.app)
    telemetry.instrument_telegram(service.bot)
    telemetry.instrument_pool(service.pool)
    telemetry.instrument_pool(service.sync_pool)
    telemetry.instrument_pydantic_ai()
    telemetry.instrument_psycopg()
    telemetry.instrument_requests()
    telemetry.instrument_httpx()


if __name__ == "__main__":
    asyncio.run(main())
