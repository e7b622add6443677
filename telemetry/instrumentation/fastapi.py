"""FastAPI: one server span a request, the plan's HTTP metrics, unhandled exceptions.

Spans come from the field's ASGI middleware, without its spans for each message sent and received; it runs only for
requests that are recorded. They are named by the route's pattern, which is taken from the router once it has matched.
Metrics: `http_requests_total`; `http_request_duration_seconds` until the last byte, without background tasks, which are
traces of their own; `http_stream_duration_seconds` for streams, server-sent events and WebSockets. An exception that
leaves the application, or that a handler turns into a status of 500 and above, is counted and sent to Sentry inside the
span. Never recorded: paths, query strings, headers, bodies.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context, metrics, trace

from telemetry import prometheus
from telemetry._closing import flush, in_thread
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import Runtime, current
from telemetry.context import capture_error, count_error, is_known
from telemetry.entry import Entry, current_entry
from telemetry.instrumentation._background import background_tasks
from telemetry.instrumentation._handle import Handle, Shared
from telemetry.instrumentation._requests import SERVER_ERROR, Request, endpoint, is_disconnect, span_name
from telemetry.propagation import caller_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from fastapi import FastAPI
    from starlette.middleware.errors import ServerErrorMiddleware

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["instrument_fastapi"]

_OBSERVED = ("http", "websocket")
_UNSAMPLED = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
_SEEN = "telemetry.request"
"""In the scope of a request that a layer of ours has in hand: a mounted application does not record it once more."""

_RECORDING = "_telemetry_recording"
"""On an application: who wants it recorded; kept there, it lives as long as the application."""

_NATIVE = "fastapi.telemetry"
"""FastAPI records nothing itself where the scope has this key; a mounted application asks anew, and would."""

_believing, _naming = Guard("read who calls"), Guard("name a request's span")
_reporting = Guard("report a request's error")


def instrument_fastapi(app: FastAPI) -> Handle:
    """Record the requests of `app`, once; call it before the first request, closing the handle undoes it.

    Raises `MissingExtraError` without the packages of the extra `fastapi`.
    """
    require("opentelemetry.instrumentation.asgi", feature="instrument_fastapi", extra="fastapi")
    recording: Shared = vars(app).setdefault(_RECORDING, Shared(lambda: _start(app)))
    return recording.acquire()


def _start(app: FastAPI) -> Callable[[], None]:
    from opentelemetry.instrumentation import asgi  # noqa: PLC0415 - optional package

    background = background_tasks.acquire()
    build_before = app.build_middleware_stack

    def build() -> ASGIApp:
        handlers = app.exception_handlers
        app.exception_handlers = {key: _reporting_handler(handler) for key, handler in handlers.items()}
        try:
            stack = cast("ServerErrorMiddleware", build_before())
        finally:
            app.exception_handlers = handlers
        stack.app = ErrorLayer(stack.app)
        recorded = asgi.OpenTelemetryMiddleware(
            stack,
            default_span_details=lambda scope: (scope.get("method", "websocket"), {}),
            tracer=current().tracer,
            meter=metrics.NoOpMeter("telemetry"),
            exclude_spans=["receive", "send"],
        )
        return RequestLayer(recorded, stack, current())

    app.build_middleware_stack = build  # type: ignore[method-assign]
    app.middleware_stack = None

    def undo() -> None:
        app.build_middleware_stack = build_before  # type: ignore[method-assign]
        app.middleware_stack = None

    return Handle(background.close, undo).close


class RequestLayer:
    """Outermost: decides what is recorded, opens a Sentry scope, measures.

    `app` is public because FastAPI walks it to learn that it need not record the request itself.
    """

    def __init__(self, recorded: ASGIApp, bare: ASGIApp, runtime: Runtime) -> None:
        """Keep configuration only; a request's state lives in a `Request`."""
        self.app = recorded
        self._bare = bare
        self._runtime = runtime
        self._serves_metrics = prometheus.is_mounted(runtime.settings)
        self._excluded = [re.compile(pattern) for pattern in runtime.settings.excluded_urls]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._bare(scope, receive, _sends_what_is_held(send))
        elif self._serves_metrics and scope["type"] == "http" and scope["path"] == prometheus.PATH:
            await _send_metrics(send)
        elif scope["type"] not in _OBSERVED or _SEEN in scope:
            await self._bare(scope, receive, send)
        elif any(pattern.search(scope["path"]) for pattern in self._excluded):
            await self._unrecorded(scope, receive, send)
        else:
            await self._measured(scope, receive, send)

    async def _unrecorded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve under a parent that is not sampled, so that no query or call below it makes a span."""
        token = context.attach(trace.set_span_in_context(_UNSAMPLED))
        try:
            await self._bare(scope, receive, send)
        finally:
            context.detach(token)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry = Entry(_caller_of(scope))
        request = Request(scope, entry)
        scope[_SEEN] = True
        scope.setdefault(_NATIVE, None)

        async def watched_receive() -> Message:
            message = await receive()
            request.received(message)
            return message

        async def watched_send(message: Message) -> None:
            await send(message)
            request.sent(message)

        with self._runtime.sentry.scope(), entry.attached():
            if entry.sampled:
                entry.choose()
            try:
                await (self.app if entry.sampled else self._bare)(scope, watched_receive, watched_send)
            except BaseException as error:
                request.finish(error)
                raise
            request.finish()


class ErrorLayer:
    """Innermost but for the application: inside the span, it names it late and reports what leaves the application."""

    def __init__(self, app: ASGIApp) -> None:
        """Keep the application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in _OBSERVED:
            await self.app(scope, receive, send)
            return

        if (entry := current_entry.get()) is not None and entry.sampled and entry.root is trace.INVALID_SPAN:
            entry.root = trace.get_current_span()

        async def naming_send(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                name_span(scope)
            await send(message)

        try:
            await self.app(scope, receive, naming_send)
        except Exception as error:
            name_span(scope)
            if not is_disconnect(error):
                _report(error)
            raise


def _sends_what_is_held(send: Send) -> Send:
    """Return a `send` that has telemetry sent before a server learns that the application has stopped.

    Servers end their process by the signal that stopped them, and nothing runs any more.
    """

    async def send_after_flush(message: Message) -> None:
        if message["type"].startswith("lifespan.shutdown."):
            await in_thread(lambda: flush(current()))
        await send(message)

    return send_after_flush


async def _send_metrics(send: Send) -> None:
    """Answer with all metrics; neither traced nor counted."""
    body = await asyncio.to_thread(prometheus.render)
    headers = [(b"content-type", prometheus.CONTENT_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _caller_of(scope: Scope) -> trace.SpanContext | None:
    with _believing:
        address = (scope.get("client") or (None,))[0]
        return caller_of(address, lambda: {str(k, "latin-1"): str(v, "latin-1") for k, v in scope["headers"]})
    return None


def _report(error: Exception) -> None:
    with _reporting:
        count_error(error, "api")
        capture_error(error)


def _reporting_handler(handle: Callable[..., Any]) -> Callable[..., Any]:
    """Return an exception handler that reports what it turns into a server's error, unless its cause is known."""

    def report(error: Exception, response: Any) -> Any:  # noqa: ANN401 - a response, or None
        if getattr(response, "status_code", 0) >= SERVER_ERROR and not is_known(error):
            _report(error)
        return response

    if inspect.iscoroutinefunction(handle) or inspect.iscoroutinefunction(getattr(handle, "__call__", None)):  # noqa: B004 - an object whose call is a coroutine

        async def handle_async(request: Any, error: Exception) -> Any:  # noqa: ANN401 - as Starlette's
            return report(error, await handle(request, error))

        return handle_async

    return lambda request, error: report(error, handle(request, error))


def name_span(scope: Scope) -> None:
    """Give the server span the name of its route."""
    with _naming:
        span, route = trace.get_current_span(), endpoint(scope)
        if route is not None and span.is_recording():
            span.update_name(span_name(scope, route))
            span.set_attribute("http.route", route)
