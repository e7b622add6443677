"""The bot's commands, one function each."""

from telegram import Update

import telemetry

from . import reminders, store
from .models import FoodItem, NewFood, Progress
from .turn import Context, begin

__all__ = [
    "COMMANDS",
    "goal_command",
    "help_command",
    "log_command",
    "progress_command",
    "remind_command",
    "start_command",
]

HELP = """Tell me what you ate, in words, by voice or with a photo.
/log 250 porridge - note calories yourself
/progress - today against your goal
/goal 2000 - set your daily goal
/remind 30m drink water - be reminded (s, m, h, d)"""
MAX_CALORIES = 10000


async def start_command(update: Update, context: Context) -> None:
    """Greet."""
    turn = await begin(update, context, "start_command")
    await turn.reply(f"Hello! I am your health coach.\n{HELP}")


async def help_command(update: Update, context: Context) -> None:
    """Say what the bot understands."""
    turn = await begin(update, context, "help_command")
    await turn.reply(HELP)


async def log_command(update: Update, context: Context) -> None:
    """Store "/log 250 porridge" as it stands, with no model involved."""
    turn = await begin(update, context, "log_command")
    calories, name = _number(context.args), " ".join((context.args or [])[1:])
    if calories is None or not name:
        return await turn.reply("Write it like this: /log 250 porridge")
    item = FoodItem(name=name[:200], calories=calories)
    await store.add_food(turn.services.pool, NewFood(user_id=turn.user.id, source="command", **item.model_dump()))
    return await turn.reply(f"Logged {name}: {calories} kcal.")


async def progress_command(update: Update, context: Context) -> None:
    """Put today's calories against the goal."""
    turn = await begin(update, context, "progress_command")
    progress = Progress.of(turn.user, await store.day(turn.services.pool, turn.user.id))
    await turn.reply(f"{progress.calories:.0f} of {progress.goal} kcal today ({progress.percent} %).")


async def goal_command(update: Update, context: Context) -> None:
    """Set the daily calorie goal."""
    turn = await begin(update, context, "goal_command")
    if (calories := _number(context.args)) is None:
        return await turn.reply("Write it like this: /goal 2000")
    await store.set_goal(turn.services.pool, turn.user.id, calories)
    return await turn.reply(f"Your daily goal is {calories} kcal.")


async def remind_command(update: Update, context: Context) -> None:
    """Store "/remind 30m drink water"."""
    turn = await begin(update, context, "remind_command")
    if not (understood := reminders.parse(" ".join(context.args or []))):
        return await turn.reply("Write it like this: /remind 30m drink water")
    delay, text = understood
    await reminders.schedule(turn.services.pool, turn.user.id, turn.message.chat_id, delay, text)
    telemetry.add_breadcrumb("reminders", "reminder_stored", {"delay_seconds": delay.total_seconds()})
    return await turn.reply(f"I will remind you in {delay}.")


def _number(arguments: list[str] | None) -> int | None:
    text = (arguments or [""])[0]
    return int(text) if text.isascii() and text.isdigit() and int(text) <= MAX_CALORIES else None


COMMANDS = {
    "start": (start_command, "say hello"),
    "help": (help_command, "what I understand"),
    "log": (log_command, "note calories: /log 250 porridge"),
    "progress": (progress_command, "today against your goal"),
    "goal": (goal_command, "set your daily goal: /goal 2000"),
    "remind": (remind_command, "be reminded: /remind 30m drink water"),
}
