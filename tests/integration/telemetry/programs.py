"""Small bots in the style of python-telegram-bot's own documentation, written anew: each a builder and a script.

A script is what a user does, and what the bot answers; a press presses the first button of the bot's last message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    CommandHandler,
    ContextTypes,
    ConversationHandler,
    MessageHandler,
    PicklePersistence,
    filters,
)

Context = ContextTypes.DEFAULT_TYPE
AnyApplication = Application[Any, Any, Any, Any, Any, Any]
Builder = ApplicationBuilder[Any, Any, Any, Any, Any, Any]
PRESS = "press"


@dataclass(frozen=True)
class Program:
    """A bot, what is done to it, what it answers, and the spans of its own functions."""

    name: str
    add_handlers: Callable[[AnyApplication], None]
    script: list[tuple[str, str]]
    spans: set[str]
    prepare: Callable[[Builder, Path], Builder] = field(default=lambda builder, _: builder)


async def reply(update: Update, text: str, **options: Any) -> None:
    assert update.effective_message is not None
    await update.effective_message.reply_text(text, **options)


# Echo: a command, and every other text said back.
async def start(update: Update, _: Context) -> None:
    assert update.effective_user is not None
    await reply(update, f"Hi {update.effective_user.first_name}!")


async def echo(update: Update, _: Context) -> None:
    assert update.effective_message is not None
    await reply(update, update.effective_message.text or "")


def add_echo(application: AnyApplication) -> None:
    application.add_handler(CommandHandler("start", start))
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, echo))


# Conversation: two questions, one of which can be skipped.
NAME, AGE = range(2)


async def ask_name(update: Update, _: Context) -> int:
    await reply(update, "What is your name?")
    return NAME


async def ask_age(update: Update, context: Context) -> int:
    assert update.effective_message is not None
    assert context.user_data is not None
    context.user_data["name"] = update.effective_message.text
    await reply(update, "How old are you?")
    return AGE


async def sum_up(update: Update, context: Context) -> int:
    assert update.effective_message is not None
    assert context.user_data is not None
    await reply(update, f"{context.user_data['name']} is {update.effective_message.text}.")
    return ConversationHandler.END


async def give_up(update: Update, _: Context) -> int:
    await reply(update, "Some other time.")
    return ConversationHandler.END


def add_conversation(application: AnyApplication) -> None:
    text = filters.TEXT & ~filters.COMMAND
    states: dict[object, Any] = {NAME: [MessageHandler(text, ask_age)], AGE: [MessageHandler(text, sum_up)]}
    fallbacks: list[Any] = [CommandHandler("cancel", give_up)]
    application.add_handler(ConversationHandler([CommandHandler("start", ask_name)], states, fallbacks))


# Inline keyboard: a menu, and what was chosen from it.
async def menu(update: Update, _: Context) -> None:
    button = InlineKeyboardButton("Soup", callback_data="soup")
    await reply(update, "Choose:", reply_markup=InlineKeyboardMarkup([[button]]))


async def chosen(update: Update, _: Context) -> None:
    assert update.callback_query is not None
    await update.callback_query.answer()
    await reply(update, f"You chose {update.callback_query.data}.")


def add_keyboard(application: AnyApplication) -> None:
    application.add_handler(CommandHandler("menu", menu))
    application.add_handler(CallbackQueryHandler(chosen))


# Job queue: something said a moment later.
async def set_timer(update: Update, context: Context) -> None:
    assert update.effective_chat is not None
    assert context.job_queue is not None
    context.job_queue.run_once(ring, 0.05, chat_id=update.effective_chat.id)


async def ring(context: Context) -> None:
    assert context.job is not None
    assert context.job.chat_id is not None
    await context.bot.send_message(context.job.chat_id, "Beep!")


def add_timer(application: AnyApplication) -> None:
    application.add_handler(CommandHandler("set", set_timer))


# Error handler: what fails is apologised for.
async def break_down(_: Update, __: Context) -> None:
    raise ZeroDivisionError


async def apologise(update: object, context: Context) -> None:
    assert isinstance(update, Update)
    await reply(update, f"Sorry: {type(context.error).__name__}.")


def add_failure(application: AnyApplication) -> None:
    application.add_handler(CommandHandler("bad", break_down))
    application.add_error_handler(apologise)


# Persistence: a count that outlives the process, in a file.
async def count(update: Update, context: Context) -> None:
    assert context.user_data is not None
    context.user_data["count"] = context.user_data.get("count", 0) + 1
    await reply(update, f"That makes {context.user_data['count']}.")


def add_count(application: AnyApplication) -> None:
    application.add_handler(CommandHandler("count", count))


def with_persistence(builder: Builder, folder: Path) -> Builder:
    return builder.persistence(PicklePersistence(folder / "bot.pickle"))


PROGRAMS = [
    Program(
        "echo",
        add_echo,
        [("/start", "Hi anna!"), ("hello", "hello"), ("äöü <b>&", "äöü <b>&")],
        {"telegram.start", "telegram.echo"},
    ),
    Program(
        "conversation",
        add_conversation,
        [
            ("/start", "What is your name?"), ("Anna", "How old are you?"), ("30", "Anna is 30."),
            ("/start", "What is your name?"), ("/cancel", "Some other time."),
        ],
        {"telegram.ask_name", "telegram.ask_age", "telegram.sum_up", "telegram.give_up"},
    ),
    Program(
        "inline keyboard",
        add_keyboard,
        [("/menu", "Choose:"), (PRESS, "You chose soup.")],
        {"telegram.menu", "telegram.chosen", "telegram.api.answerCallbackQuery"},
    ),
    Program("job queue", add_timer, [("/set", "Beep!")], {"telegram.set_timer", "telegram.job.ring"}),
    Program("error handler", add_failure, [("/bad", "Sorry: ZeroDivisionError.")], {"telegram.break_down"}),
    Program(
        "persistence",
        add_count,
        [("/count", "That makes 1."), ("/count", "That makes 2.")],
        {"telegram.count"},
        with_persistence,
    ),
]  # fmt: skip
