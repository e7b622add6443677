"""python-telegram-bot: one trace an update, a span a handler, the plan's message metrics, errors that leave a handler.

Spans: `telegram.update` (root, consumer) and below it `telegram.HANDLER` for each handler that runs. Metrics:
`telegram_messages_total`, `telegram_message_duration_seconds`, `telegram_commands_total`,
`telegram_handler_errors_total`, `errors_total`. Never recorded: what was written, names, phone numbers, places.

Two methods are wrapped, of all applications, and pass through for those that are not instrumented:
`Application.process_update`, through which every update goes in either concurrency mode, and
`BaseHandler.handle_update`, through which every callback is called, also those inside a `ConversationHandler`.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from opentelemetry import context as otel_context
from opentelemetry import trace

from telemetry import catalog
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import capture_error, count_error, set_user_context
from telemetry.instrumentation._handle import Handle, Shared, patch_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from telegram import Update
    from telegram.ext import Application, BaseHandler

    AnyApplication = Application[Any, Any, Any, Any, Any, Any]
    AnyHandler = BaseHandler[Any, Any, Any]

__all__ = ["instrument_telegram"]

_applications: WeakSet[AnyApplication] = WeakSet()
_update: ContextVar[UpdateObserver | None] = ContextVar("telemetry_update", default=None)
_describing, _finishing = Guard("describe an update"), Guard("finish an update")
_reporting = Guard("report an error of a handler")


def instrument_telegram(application: AnyApplication) -> Handle:
    """Record the updates of `application`; closing the handle undoes it.

    Raises `MissingExtraError` without python-telegram-bot.
    """
    require("telegram.ext", feature="instrument_telegram", extra="telegram")
    recording = _recording.acquire()
    _applications.add(application)
    return Handle(recording.close, lambda: _applications.discard(application))


@dataclass
class UpdateObserver:
    """One update under way."""

    message_type: str
    start: float
    failed: bool = False

    @classmethod
    def of(cls, update: object) -> UpdateObserver:
        """Start the clock for an update of any kind."""
        observer = cls(catalog.OTHER, time.perf_counter())
        with _describing:
            observer.message_type = message_type(update)
        return observer

    def finish(self) -> None:
        """Record the metrics of the update."""
        with _finishing:
            labels = {"message_type": self.message_type, "status": "error" if self.failed else "success"}
            instruments = current().instruments
            instruments.add(catalog.TELEGRAM_MESSAGES, 1, labels)
            instruments.record(catalog.TELEGRAM_MESSAGE_DURATION, time.perf_counter() - self.start, labels)


def _start() -> Callable[[], None]:
    from telegram.ext import Application, BaseHandler  # noqa: PLC0415 - optional package

    return patch_all((Application, "process_update", _wrap_update), (BaseHandler, "handle_update", _wrap_handler))


def _wrap_update(process_update: Callable[[AnyApplication, object], Awaitable[None]]) -> Callable[..., Any]:
    async def process_observed_update(application: AnyApplication, update: object) -> None:
        if application not in _applications:
            await process_update(application, update)
            return
        observer = UpdateObserver.of(update)
        token = _update.set(observer)
        runtime = current()
        try:
            with (
                runtime.sentry.scope(),
                runtime.tracer.start_as_current_span(
                    "telegram.update",
                    context=otel_context.Context(),
                    kind=trace.SpanKind.CONSUMER,
                    attributes=_update_attributes(update, observer.message_type),
                ),
            ):
                try:
                    _describe_user(update)
                    await process_update(application, update)
                finally:
                    observer.finish()
        finally:
            _update.reset(token)

    return process_observed_update


def _wrap_handler(handle_update: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def handle_observed_update(
        handler: AnyHandler, update: object, application: AnyApplication, check_result: object, context: object
    ) -> Any:  # noqa: ANN401 - what the callback returns
        if application not in _applications:
            return await handle_update(handler, update, application, check_result, context)
        name = handler_name(handler)
        span_name = f"telegram.{name}"
        with current().tracer.start_as_current_span(
            span_name, record_exception=False, set_status_on_exception=False, attributes=_photo_attributes(update)
        ):
            _describe_user(update)
            _count_command(handler, update)
            try:
                return await handle_update(handler, update, application, check_result, context)
            except Exception as error:
                _report(error, name)
                raise

    return handle_observed_update


_recording = Shared(_start)


def message_type(update: object) -> str:
    """Tell what kind of message an update carries: text, command, photo, voice or other."""
    message = getattr(update, "effective_message", None)
    if message is None or getattr(update, "callback_query", None) is not None:
        return catalog.OTHER
    for kind in ("photo", "voice"):
        if getattr(message, kind, None):
            return kind
    if not getattr(message, "text", None):
        return catalog.OTHER
    return "command" if any(e.type == "bot_command" and e.offset == 0 for e in message.entities) else "text"


def handler_name(handler: AnyHandler) -> str:
    """Return the name of the function a handler calls."""
    callback = getattr(handler.callback, "func", handler.callback)
    return getattr(callback, "__name__", type(callback).__name__)


def _update_attributes(update: object, kind: str) -> dict[str, str | int]:
    attributes: dict[str, str | int] = {
        "messaging.system": "telegram",
        "messaging.operation.type": "process",
        "telegram.message_type": kind,
    }
    update_id = getattr(update, "update_id", None)
    return attributes if update_id is None else attributes | {"messaging.message.id": str(update_id)}


def _photo_attributes(update: object) -> dict[str, int]:
    photos = getattr(getattr(update, "effective_message", None), "photo", None)
    size = photos[-1].file_size if photos else None
    return {"photo_size": size} if size else {}


def _describe_user(update: object) -> None:
    with _describing:
        user = getattr(update, "effective_user", None)
        if user is not None:
            set_user_context(str(user.id))


def _count_command(handler: AnyHandler, update: Update | object) -> None:
    """Count a command the bot knows; what users make up is no label."""
    with _describing:
        commands = getattr(handler, "commands", None)
        text = getattr(getattr(update, "effective_message", None), "text", None)
        if commands and text:
            command = text.split(maxsplit=1)[0].lstrip("/").split("@")[0].lower()
            if command in commands:
                current().instruments.add(catalog.TELEGRAM_COMMANDS, 1, {"command": command})


def _report(error: Exception, handler: str) -> None:
    from telegram.ext import ApplicationHandlerStop  # noqa: PLC0415 - optional package

    with _reporting:
        if isinstance(error, ApplicationHandlerStop):
            return
        if observer := _update.get():
            observer.failed = True
        current().instruments.add(catalog.TELEGRAM_HANDLER_ERRORS, 1, {"handler": handler})
        count_error(error, "bot")
        capture_error(error)
