"""One update on its way through a handler: who wrote, what the handler works with, how it is noted."""

from dataclasses import dataclass
from typing import Any

from telegram import Message, Update
from telegram.ext import Application, CallbackContext, ContextTypes, ExtBot

import telemetry

from . import store
from .db import Pool
from .models import User
from .providers import Providers
from .settings import Settings

__all__ = ["Bot", "Context", "Services", "Turn", "begin"]

Bot = Application[ExtBot[None], ContextTypes.DEFAULT_TYPE, dict[Any, Any], dict[Any, Any], dict[Any, Any], Any]
Context = CallbackContext[ExtBot[None], dict[Any, Any], dict[Any, Any], dict[Any, Any]]

SERVICES = "services"


@dataclass(frozen=True)
class Services:
    """What every handler of the process shares."""

    settings: Settings
    pool: Pool
    providers: Providers


@dataclass(frozen=True)
class Turn:
    """A message from a known user."""

    message: Message
    user: User
    services: Services

    async def reply(self, text: str, **options: Any) -> None:  # noqa: ANN401  Bot API options, passed on as they are
        """Answer in the chat the message came from."""
        await self.message.reply_text(text, **options)


async def begin(update: Update, context: Context, event: str) -> Turn:
    """Note who writes, for errors and for the count of active users, and return the turn."""
    message, sender = update.effective_message, update.effective_user
    if message is None or sender is None:
        raise ValueError(
            f"update {update.update_id} has no message or no sender; the handler's filter should refuse it"
        )
    telemetry.set_user_context(str(sender.id), sender.username)
    telemetry.set_tag("chat_type", message.chat.type)
    telemetry.add_breadcrumb("telegram", event, {"text_length": len(message.text or message.caption or "")})
    services: Services = context.bot_data[SERVICES]
    return Turn(message, await store.see_user(services.pool, sender.id, sender.username), services)
