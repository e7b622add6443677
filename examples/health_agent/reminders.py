"""Reminders: understood, stored with the trace context of the update that asked, sent when they are due."""

import datetime as dt
import re

from telegram import Bot
from telegram.error import TelegramError

import telemetry

from . import store
from .db import Pool
from .models import Reminder
from .turn import SERVICES, Context, Services

__all__ = ["deliver_due", "parse", "schedule", "send_due_reminders"]

FORM = re.compile(r"\s*(\d{1,4})\s*(s|m|h|d)\s+(\S.{0,199})\s*", re.DOTALL)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse(text: str) -> tuple[dt.timedelta, str] | None:
    """Read "10m drink water" as a delay and what to say; None where it is not of that form."""
    if not (match := FORM.fullmatch(text)):
        return None
    number, unit, what = match.groups()
    return dt.timedelta(**{UNITS[unit]: int(number)}), what.strip()


async def schedule(pool: Pool, user_id: int, chat_id: int, delay: dt.timedelta, text: str) -> None:
    """Store a reminder, linked to the trace that is current."""
    due = dt.datetime.now(dt.UTC) + delay
    context = telemetry.save_context()
    reminder = Reminder(id=0, user_id=user_id, chat_id=chat_id, text=text, due_at=due, trace_context=context)
    await store.add_reminder(pool, reminder)


async def send_due_reminders(context: Context) -> None:
    """Send what is due; a job of the bot's job queue, whose failures the error handler and telemetry see."""
    services: Services = context.bot_data[SERVICES]
    await deliver_due(services.pool, context.bot)


async def deliver_due(pool: Pool, bot: Bot) -> int:
    """Send the reminders that are due now and return how many."""
    due = await store.claim_reminders(pool)
    for reminder in due:
        with telemetry.resume_context(reminder.trace_context, "reminders.send"):
            await _send(pool, bot, reminder)
    return len(due)


async def _send(pool: Pool, bot: Bot, reminder: Reminder) -> None:
    telemetry.set_user_context(str(reminder.user_id))
    try:
        await bot.send_message(reminder.chat_id, f"⏰ {reminder.text}")
    except TelegramError as error:
        telemetry.record_error(error, component="reminders")
        await store.release_reminder(pool, reminder.id)
