"""A bot behind a webhook: a text is an agent's run with two tool calls, a photo a download and a run that is shown it.

The model is a function in the process, which says what a provider would: what is measured is the application, not the
network. The Bot API is the sink's.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent, BinaryContent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from telegram import Update
from telegram.ext import Application, MessageHandler, filters

if TYPE_CHECKING:
    from telegram.ext import ContextTypes

__all__ = ["Bot"]

_TOKEN = "123456789:" + "A" * 35
_ids = itertools.count(1)


class Bot:
    """An application of python-telegram-bot with two handlers."""

    def __init__(self) -> None:
        """Build it; whoever serves it initializes the application."""
        agent = Agent(FunctionModel(_model, model_name="gpt-4o"), name="coach")
        agent.tool_plain(calories)
        agent.tool_plain(goal)

        async def answer(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
            if (message := update.message) is not None:
                found = await agent.run(message.text or "")
                await message.reply_text(found.output)

        async def look(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
            if (message := update.message) is not None:
                photo = await (await message.photo[-1].get_file()).download_as_bytearray()
                found = await agent.run(["What is this?", BinaryContent(bytes(photo), media_type="image/jpeg")])
                await message.reply_text(found.output)

        address = f"http://127.0.0.1:{os.environ['BOT_API_PORT']}"
        builder = Application.builder().token(_TOKEN).base_url(f"{address}/bot").base_file_url(f"{address}/file/bot")
        builder = builder.connection_pool_size(64).updater(None)
        self.application: Application[Any, Any, Any, Any, Any, Any] = builder.build()
        self.application.add_handler(MessageHandler(filters.TEXT, answer))
        self.application.add_handler(MessageHandler(filters.PHOTO, look))

    async def take(self, content: str) -> None:
        """Handle one update, of a user of ten; `content` is text or photo."""
        update = Update.de_json(_update(next(_ids), CONTENTS[content]), self.application.bot)
        await self.application.process_update(update)


def calories(food: str) -> int:
    """Return the calories of a food."""
    return len(food) * 10


def goal() -> int:
    """Return the goal of a day."""
    return 2000


def _model(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Call both tools, then say what they returned."""
    returned = [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if not returned:
        return ModelResponse([ToolCallPart("calories", {"food": "apple"}), ToolCallPart("goal", {})])
    return ModelResponse([TextPart(" of ".join(str(part.content) for part in returned))])


CONTENTS: dict[str, dict[str, Any]] = {
    "text": {"text": "I had an apple"},
    "photo": {"photo": [{"file_id": "photo", "file_unique_id": "photo", "width": 800, "height": 600}]},
}
"""What a message has beside its sender."""


def _update(number: int, content: dict[str, Any]) -> dict[str, Any]:
    person = {"id": 100 + number % 10, "is_bot": False, "first_name": "Ann"}
    chat = {"id": person["id"], "type": "private", "first_name": "Ann"}
    message = {"message_id": number, "date": 1_700_000_000, "chat": chat, "from": person}
    return {"update_id": number, "message": message | content}
