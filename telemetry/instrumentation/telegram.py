"""python-telegram-bot: one trace an update, a span a handler, jobs, Bot API calls, errors that leave a handler.

Spans: `telegram.update` (root, consumer), below it `telegram.HANDLER` for each handler that runs and
`telegram.api.METHOD` for each call; `telegram.job.FUNCTION` (root) for the job queue. Metrics: `telegram_*`, and
`errors_total{component="bot"}`. Never recorded: what was written, names, phone numbers, places, the bot's token.

Six methods of the library are wrapped and pass through for applications that are not instrumented: `process_update`,
through which every update goes in either concurrency mode; `BaseHandler.handle_update`, through which every callback is
called, also inside a `ConversationHandler`; `process_error`; `Job.run`; and the request class's `post` and `retrieve`.
An update's span ends when its last handler does, also one with `block=False`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from opentelemetry import trace

from telemetry import catalog
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import capture_error, count_error, set_user_context
from telemetry.conversation import set_conversation
from telemetry.entry import Root
from telemetry.instrumentation import _updates
from telemetry.instrumentation._bot_api import Bots, wrap_request
from telemetry.instrumentation._handle import Handle, Shared, patch_all
from telemetry.instrumentation._turns import previous_turn, remember_turn
from telemetry.instrumentation._updates import JobWork, Pending, UpdateWork, Work, current_work
from telemetry.pseudonyms import chat_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from telegram.ext import Application, BaseHandler, Job

    AnyApplication = Application[Any, Any, Any, Any, Any, Any]
    AnyHandler = BaseHandler[Any, Any, Any]

__all__ = ["instrument_telegram", "is_instrumented"]

_applications: WeakSet[AnyApplication] = WeakSet()
_bots = Bots()
_describing, _reporting = Guard("describe an update"), Guard("report an error of a handler")


def instrument_telegram(application: AnyApplication) -> Handle:
    """Record the updates, jobs and Bot API calls of `application`; closing the handle undoes it.

    Raises `MissingExtraError` without python-telegram-bot.
    """
    require("telegram.ext", feature="instrument_telegram", extra="telegram")
    recording = _recording.acquire()
    forget_bot = _bots.add(application.bot.base_url, application.bot.base_file_url)
    _applications.add(application)
    _start_at_zero(application)
    return Handle(recording.close, forget_bot, lambda: _applications.discard(application))


def is_instrumented(application: AnyApplication) -> bool:
    """Tell whether an application is recorded."""
    return application in _applications


def _passes(application: AnyApplication) -> bool:
    """Tell whether nothing is recorded of an application now."""
    return application not in _applications or current().is_off


def _start_at_zero(application: AnyApplication) -> None:
    with _describing:
        handlers = [handler for group in application.handlers.values() for handler in group]
        names = {_updates.function_name(callback) for callback in _updates.callbacks(handlers)}
        commands = {command for handler in handlers for command in getattr(handler, "commands", ())}
        instruments = current().instruments
        instruments.start_at_zero(catalog.TELEGRAM_MESSAGES)
        instruments.start_at_zero(catalog.TELEGRAM_FEEDBACK)
        instruments.start_at_zero(catalog.TELEGRAM_HANDLER_ERRORS, handler=names)
        instruments.start_at_zero(catalog.TELEGRAM_COMMANDS, command=commands)
        instruments.start_at_zero(catalog.TELEGRAM_FLOOD_CONTROL, method=["sendMessage"])
        instruments.start_at_zero(catalog.TELEGRAM_POLLING_ERRORS, error_type=["NetworkError", "TimedOut"])


def _start() -> Callable[[], None]:
    from telegram.ext import Application, BaseHandler, Job  # noqa: PLC0415 - optional package
    from telegram.request import BaseRequest  # noqa: PLC0415

    logger, swallowed = logging.getLogger("telegram.ext.Application"), SwallowedErrors()
    logger.addFilter(swallowed)
    unpatch = patch_all(
        (Application, "process_update", _wrap_update),
        (Application, "process_error", _wrap_error),
        (BaseHandler, "handle_update", _wrap_handler),
        (Job, "run", _wrap_job),
        (BaseRequest, "post", wrap_request(_bots)),
        (BaseRequest, "retrieve", wrap_request(_bots)),
    )
    return Handle(unpatch, lambda: logger.removeFilter(swallowed)).close


def _wrap_update(process_update: Callable[..., Awaitable[None]]) -> Callable[..., Any]:
    async def process_observed_update(application: AnyApplication, update: object) -> None:
        if _passes(application):
            return await process_update(application, update)
        kind = catalog.OTHER
        with _describing:
            kind = _updates.message_type(update)
        attributes = {
            "messaging.system": "telegram",
            "messaging.operation.type": "process",
            "messaging.message.id": str(getattr(update, "update_id", "")),
            "telegram.message_type": kind,
        }
        links = previous_turn(application, update)
        work = UpdateWork(_root("telegram.update", attributes, links), {"message_type": kind})
        remember_turn(application, update, work.entry.root)
        return await _run(work, lambda: process_update(application, update), update)

    return process_observed_update


def _wrap_job(run: Callable[..., Awaitable[None]]) -> Callable[..., Any]:
    async def run_observed(job: Job[Any], application: AnyApplication) -> None:
        if _passes(application):
            return await run(job, application)
        name = _updates.function_name(job.callback)
        work = JobWork(_root(f"telegram.job.{name}", {"messaging.system": "telegram"}), {"job_name": name})
        return await _run(work, lambda: _tracked(name, run(job, application)), None)

    return run_observed


def _root(name: str, attributes: Mapping[str, str], links: Sequence[trace.Link] = ()) -> Root:
    return Root(name, trace.SpanKind.CONSUMER, attributes, links)


async def _tracked(name: str, run: Awaitable[None]) -> None:
    with current().in_flight.track("job", name):
        await run


async def _run(work: Work, process: Callable[[], Awaitable[None]], update: object) -> None:
    """Process an update or a job inside its span and a Sentry scope of its own."""
    token = current_work.set(work)
    try:
        with current().sentry.scope(), work.attached():
            _describe_user(update)
            _describe_conversation(update)
            await process()
    except BaseException as error:
        work.fail(error)
        raise
    finally:
        current_work.reset(token)
        work.leave()


def _wrap_handler(handle_update: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    def handle_observed_update(
        handler: AnyHandler, update: object, application: AnyApplication, check_result: object, context: object
    ) -> Awaitable[Any]:
        coroutine = handle_update(handler, update, application, check_result, context)
        if _passes(application):
            return coroutine
        work = current_work.get()
        return _handle(handler, update, coroutine, Pending(work) if work else None)

    return handle_observed_update


async def _handle(handler: AnyHandler, update: object, coroutine: Awaitable[Any], pending: Pending | None) -> Any:  # noqa: ANN401 - what the callback returns
    name = _updates.function_name(handler.callback)
    runtime = current()
    try:
        with (
            runtime.tracer.start_as_current_span(
                f"telegram.{name}", record_exception=False, set_status_on_exception=False
            ),
            runtime.in_flight.track("handler", name),
        ):
            _describe_handler(handler, update)
            try:
                return await coroutine
            except BaseException as error:
                _report(error, name)
                raise
    finally:
        if pending is not None:
            pending.done()


def _wrap_error(process_error: Callable[..., Awaitable[bool]]) -> Callable[..., Any]:
    """Report what fails outside handlers too: jobs, tasks, filters. A handler's error is known by then."""

    async def process_observed_error(
        application: AnyApplication, update: object, error: Exception, *more: object, **named: object
    ) -> bool:
        if application in _applications:
            _report(error, None)
        return await process_error(application, update, error, *more, **named)

    return process_observed_error


class SwallowedErrors(logging.Filter):
    """Sees the errors of error handlers, which the library only logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Report the error of a record; every record passes."""
        if record.levelno >= logging.ERROR and record.exc_info and record.exc_info[1] is not None:
            _report(record.exc_info[1], None)
        return True


def _describe_user(update: object) -> None:
    with _describing:
        user = getattr(update, "effective_user", None)
        if user is not None:
            set_user_context(str(user.id))
            current().engagement.note(str(user.id))


def _describe_conversation(update: object) -> None:
    with _describing:
        chat = getattr(update, "effective_chat", None)
        if chat is not None:
            set_conversation(chat_key(chat.id))


def _describe_handler(handler: AnyHandler, update: object) -> None:
    with _describing:
        user = getattr(update, "effective_user", None)
        if user is not None:  # on the span only: what the application has told Sentry of the user since stays
            trace.get_current_span().set_attribute("user.id", current().pseudonyms.user(str(user.id)))
        if size := _updates.photo_size(update):
            trace.get_current_span().set_attribute("photo_size", size)
        if command := _updates.known_command(handler, update):
            current().instruments.add(catalog.TELEGRAM_COMMANDS, 1, {"command": command})


def _report(error: BaseException, handler: str | None) -> None:
    from telegram.ext import ApplicationHandlerStop  # noqa: PLC0415 - optional package

    with _reporting:
        if isinstance(error, ApplicationHandlerStop):
            return
        if work := current_work.get():
            work.fail(error)
        if not isinstance(error, Exception):
            return
        if handler is not None:
            current().instruments.add(catalog.TELEGRAM_HANDLER_ERRORS, 1, {"handler": handler})
        count_error(error, "bot")
        capture_error(error)


_recording = Shared(_start)
