"""The Telegram bot: texts, photos, voice messages, and the process they are handled in."""

import logging
from contextlib import AsyncExitStack

from pydantic_ai.exceptions import ModelHTTPError
from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.ext import Application, CallbackQueryHandler, CommandHandler, MessageHandler, filters

import telemetry

from . import agent, reminders, store, voice
from .commands import COMMANDS
from .db import database_url, open_pool
from .models import NewFood
from .providers import Providers
from .settings import Settings
from .turn import SERVICES, Bot, Context, Services, Turn, begin
from .vision import analyze_food

__all__ = ["build", "handle_feedback", "handle_message", "handle_photo", "handle_undo", "handle_voice", "run"]

LOG = logging.getLogger(__name__)
BUSY = "I have too much to do just now. Please write again in a minute."
SORRY = "Sorry, something went wrong on my side. It has been noted."
THANKS = "Thank you for telling me."
REMEMBERED_TURNS = 3


async def handle_message(update: Update, context: Context) -> None:
    """Answer a text."""
    turn = await begin(update, context, "message_received")
    await turn.message.chat.send_action("typing")
    await _answer(turn, context, turn.message.text or "", source="text")


async def handle_voice(update: Update, context: Context) -> None:
    """Write down what was said and answer it like a text."""
    turn = await begin(update, context, "voice_received")
    if (recording := turn.message.voice) is None:
        return
    audio = await (await recording.get_file()).download_as_bytearray()
    telemetry.add_breadcrumb("telegram", "voice_downloaded", {"size": len(audio)})
    spoken = await voice.transcribe(turn.services.providers, bytes(audio))
    if spoken:
        await _answer(turn, context, spoken, source="voice")
    else:
        await turn.reply("I could not hear any words.")


async def _answer(turn: Turn, context: Context, text: str, *, source: str) -> None:
    memory: list[agent.Answer] = (context.user_data or {}).setdefault("turns", [])
    history = [message for earlier in memory for message in earlier.messages]
    services = turn.services
    session = agent.Session(turn.user.id, services.pool, services.providers, source, history)
    try:
        answer = await agent.answer(text, session)
    except ModelHTTPError as error:
        if not agent.is_busy(error):
            raise
        telemetry.record_error(error, component="agent")
        return await turn.reply(BUSY)
    memory[:] = [*memory, answer][-REMEMBERED_TURNS:]
    telemetry.set_tag("model", answer.model)
    return await turn.reply(answer.text, reply_markup=_feedback_buttons())


def _feedback_buttons() -> InlineKeyboardMarkup:
    """Return buttons that know the trace of the answer they stand below."""
    signs = {"up": "👍", "down": "👎"}
    buttons = [InlineKeyboardButton(sign, callback_data=telemetry.feedback_data(r)) for r, sign in signs.items()]
    return InlineKeyboardMarkup([buttons])


async def handle_photo(update: Update, context: Context) -> None:
    """Store the foods on a photo and offer to undo that."""
    turn = await begin(update, context, "photo_received")
    largest = turn.message.photo[-1]
    photo = await (await largest.get_file()).download_as_bytearray()
    telemetry.add_breadcrumb("telegram", "photo_downloaded", {"size": len(photo)})
    found = await analyze_food(turn.services.providers, bytes(photo))
    if not found.foods:
        return await turn.reply("I see no food on this photo.")
    entries = [NewFood(user_id=turn.user.id, source="photo", **item.model_dump()) for item in found.foods]
    stored = [await store.add_food(turn.services.pool, entry) for entry in entries]
    lines = [f"{entry.name}: {entry.calories:.0f} kcal" for entry in stored]
    ids = ",".join(str(entry.id) for entry in stored)[:60]
    undo = InlineKeyboardMarkup([[InlineKeyboardButton("Undo", callback_data=ids)]])
    return await turn.reply("\n".join(["Logged:", *lines]), reply_markup=undo)


async def handle_feedback(update: Update, context: Context) -> None:
    """Note what the user thinks of an answer."""
    turn = await begin(update, context, "feedback_pressed")
    if (query := update.callback_query) is None:
        return
    telemetry.record_feedback(query.data)
    await query.answer()
    await turn.reply(THANKS)


async def handle_undo(update: Update, context: Context) -> None:
    """Delete what a photo stored."""
    turn = await begin(update, context, "undo_pressed")
    if (query := update.callback_query) is None:
        return
    ids = [int(part) for part in (query.data or "").split(",") if part.isdigit()]
    deleted = sum([await store.delete_food(turn.services.pool, turn.user.id, food_id) for food_id in ids])
    await query.answer(f"{deleted} removed")
    await turn.reply(f"Removed {deleted} of {len(ids)} entries.")


async def apologise(update: object, context: Context) -> None:
    """Tell the user that their message failed; the error itself is recorded by the instrumentation."""
    LOG.warning("an update failed: %s", type(context.error).__name__)
    if isinstance(update, Update) and update.effective_message:
        await update.effective_message.reply_text(SORRY)


def build(settings: Settings, database: str) -> Bot:
    """Return the application with its handlers; the database opens and the reminders' job starts with it."""
    resources = AsyncExitStack()
    api = settings.telegram_url
    builder = Application.builder().token(settings.key("TELEGRAM_BOT_TOKEN")).concurrent_updates(True)
    builder = builder.base_url(f"{api}/bot").base_file_url(f"{api}/file/bot")

    async def start(application: Bot) -> None:
        await _start(application, settings, database, resources)

    async def stop(_application: Bot) -> None:
        await resources.aclose()

    application: Bot = builder.post_init(start).post_shutdown(stop).build()
    _add_handlers(application)
    telemetry.instrument_telegram(application)
    return application


def _add_handlers(application: Bot) -> None:
    for name, (command, _description) in COMMANDS.items():
        application.add_handler(CommandHandler(name, command))
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, handle_message))
    application.add_handler(MessageHandler(filters.PHOTO, handle_photo))
    application.add_handler(MessageHandler(filters.VOICE, handle_voice))
    application.add_handler(CallbackQueryHandler(handle_feedback, pattern=r"^fb:"))
    application.add_handler(CallbackQueryHandler(handle_undo))
    application.add_error_handler(apologise)


async def _start(application: Bot, settings: Settings, database: str, resources: AsyncExitStack) -> None:
    pool = await resources.enter_async_context(open_pool(database))
    providers = Providers(settings)
    resources.push_async_callback(providers.close)
    application.bot_data[SERVICES] = Services(settings, pool, providers)

    async def active_users() -> dict[str, int]:
        return await store.active_users(pool)

    collector = telemetry.start_runtime_collector(active_users=active_users, pool=pool)
    resources.callback(collector.close)
    every = settings.number("REMINDER_POLL_SECONDS", 5.0)
    if application.job_queue is None:
        raise RuntimeError('Reminders need the job queue: pip install "python-telegram-bot[job-queue]"')
    application.job_queue.run_repeating(reminders.send_due_reminders, every, first=0)
    await application.bot.set_my_commands([(name, description) for name, (_, description) in COMMANDS.items()])


def run(settings: Settings) -> None:
    """Poll Telegram until SIGINT or SIGTERM, let running handlers finish, and send what telemetry holds."""
    telemetry.init()
    telemetry.instrument_pydantic_ai()
    telemetry.instrument_requests()
    telemetry.instrument_httpx()
    try:
        build(settings, database_url(settings)).run_polling(allowed_updates=Update.ALL_TYPES)
    finally:
        telemetry.shutdown(timeout=3.0)
