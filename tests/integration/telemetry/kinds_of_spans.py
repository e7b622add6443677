"""An application with every part that is instrumented, as a process of its own: a request and an update, then the end.

`python -m tests.integration.telemetry.kinds_of_spans FOLDER`, with `SENTRY_DSN` naming a server that keeps the events.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx
import psycopg
from fastapi import FastAPI
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

import telemetry
from examples.health_agent.embedded import embedded_url
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from tests.integration.telemetry.test_telegram_kinds import UPDATES

app = FastAPI()
agent = Agent(TestModel(custom_output_text="eat well"), name="coach")


@agent.tool_plain
def recall(question: str) -> str:
    """Give the agent something to call."""
    return question


@app.get("/advice/{topic}")
async def advice(topic: str) -> str:
    """Use the database and the agent."""
    async with await psycopg.AsyncConnection.connect(sys.argv[2]) as connection:
        await connection.execute("SELECT 1")
    return (await agent.run(topic)).output


async def handle_text(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
    """Answer, which fails: the local Telegram does not know the chat."""
    assert update.effective_message is not None
    await update.effective_message.reply_text("yes")


async def main() -> None:
    """Serve one request for what is there, one for what is not, and one update."""
    transport = httpx.ASGITransport(app)
    async with serve(Pace(scale=0)) as addresses, httpx.AsyncClient(transport=transport, base_url="http://test") as api:
        await api.get("/advice/food")
        await api.get("/nothing")
        with telemetry.get_tracer().start_as_current_span("job"):
            async with httpx.AsyncClient() as client:
                await client.get(f"{addresses.url('usda')}/nothing")
        await update(addresses)


async def update(addresses: Any) -> None:
    """Process one text."""
    builder = Application.builder().token(addresses.environment()["TELEGRAM_BOT_TOKEN"])
    async with builder.base_url(f"{addresses.url('telegram')}/bot").build() as application:
        application.add_handler(MessageHandler(filters.TEXT, handle_text))
        with telemetry.instrument_telegram(application):
            data = {"update_id": 1, "message": UPDATES["text"][0]["message"]}
            await application.process_update(Update.de_json(data, application.bot))


if __name__ == "__main__":
    sys.argv.append(embedded_url(Path(sys.argv[1])))
    telemetry.init(strict=True)
    telemetry.instrument_fastapi(app)
    telemetry.instrument_psycopg()
    telemetry.instrument_httpx()
    telemetry.instrument_pydantic_ai()
    asyncio.run(main())
    assert telemetry.shutdown()
