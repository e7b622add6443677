"""FastAPI: one server span a request, the plan's HTTP metrics, unhandled exceptions.

Spans are those of the field's ASGI middleware, without what may tell who asked (address, path), and named by the route,
which is known once the router has matched. A request that is not recorded has none.
Metrics: `http_requests_total`; `http_request_duration_seconds` until the last byte, without background tasks, which are
traces of their own; `http_stream_duration_seconds` for streams, server-sent events and WebSockets. An exception that
leaves the application, or that a handler turns into a status of 500 and above, is counted and sent to Sentry inside the
span. Never recorded: paths, query strings, headers, bodies.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace

from telemetry import _error_marks, prometheus
from telemetry._closing import flush, in_thread
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import Runtime, current
from telemetry.context import capture_error, count_error, is_known
from telemetry.entry import Entry
from telemetry.instrumentation._background import background_tasks
from telemetry.instrumentation._handle import Handle, Shared
from telemetry.instrumentation._requests import SERVER_ERROR, WEBSOCKET, Request, is_disconnect
from telemetry.propagation import caller_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from fastapi import FastAPI

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

_believing, _reporting = Guard("read who calls"), Guard("report a request's error")


def instrument_fastapi(app: FastAPI) -> Handle:
    """Record the requests of `app`, once; call it before the first request, closing the handle undoes it.

    Raises `MissingExtraError` without the packages of the extra `fastapi`.
    """
    require("fastapi", feature="instrument_fastapi", extra="fastapi")
    recording: Shared = vars(app).setdefault(_RECORDING, Shared(lambda: _start(app)))
    return recording.acquire()


def _start(app: FastAPI) -> Callable[[], None]:
    background = background_tasks.acquire()
    build_before = app.build_middleware_stack

    def build() -> ASGIApp:
        handlers = app.exception_handlers
        app.exception_handlers = {key: _reporting_handler(key, handler) for key, handler in handlers.items()}
        try:
            stack = build_before()
        finally:
            app.exception_handlers = handlers
        _report_unhandled(stack)
        return RequestLayer(stack, current())

    app.build_middleware_stack = build  # type: ignore[method-assign]
    app.middleware_stack = None

    def undo() -> None:
        app.build_middleware_stack = build_before  # type: ignore[method-assign]
        app.middleware_stack = None

    return Handle(background.close, _silence(app), undo).close


def _report_unhandled(stack: object) -> None:
    """Have what leaves the application reported where it has no handler for that and Starlette answers itself."""
    from starlette.middleware.errors import ServerErrorMiddleware  # noqa: PLC0415 - optional package

    while stack is not None and not isinstance(stack, ServerErrorMiddleware):  # others may have wrapped it
        stack = getattr(stack, "app", None)
    for name in ("error_response", "debug_response") if stack else ():
        setattr(stack, name, _reporting_handler(Exception, getattr(stack, name)))


def _silence(app: FastAPI) -> Callable[[], None]:
    """Keep FastAPI from recording the requests itself, as newer versions do; return what lets it do so again."""
    native: dict[str, Any] = vars(app).get("_telemetry", {})
    before = dict(native)
    native.update(dict.fromkeys(native.keys() & {"tracing", "metrics", "logs"}, False))
    return lambda: native.update(before)


class RequestLayer:
    """Outermost: decides what is recorded, opens a Sentry scope, measures."""

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        """Keep configuration only; a request's state lives in a `Request`."""
        self.app = app
        self._runtime = runtime
        self._serves_metrics = prometheus.is_mounted(runtime.settings)
        self._trusts = bool(runtime.settings.trusted_callers)
        excluded = [f"(?:{pattern})" for pattern in runtime.settings.excluded_urls]
        self._excluded = re.compile("|".join(excluded)) if excluded else None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request; no coroutine of its own, for each costs a request one more."""
        kind = scope["type"]
        if kind == "lifespan":
            return self.app(scope, receive, _sends_what_is_held(send))
        if self._serves_metrics and kind == "http" and scope["path"] == prometheus.PATH:
            return _send_metrics(send)
        if kind not in _OBSERVED or _SEEN in scope:
            return self.app(scope, receive, send)
        scope.setdefault(_NATIVE, None)
        if self._runtime.is_off:
            return self.app(scope, receive, send)
        if self._excluded is not None and self._excluded.search(scope["path"]):
            return self._unrecorded(scope, receive, send)
        return self._measured(scope, receive, send)

    async def _unrecorded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve under a parent that is not sampled, so that no query or call below it makes a span."""
        token = context.attach(trace.set_span_in_context(_UNSAMPLED))
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            _report_late(scope, error)
            raise
        finally:
            context.detach(token)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry = Entry(_caller_of(scope) if self._trusts else None)
        request = Request(scope, entry, receive, send)
        scope[_SEEN] = True
        if entry.sampled:
            entry.start(request.root())
        isolation = self._runtime.sentry.scope()
        isolation.__enter__()  # no `with`: it would keep two bound methods for each request that waits
        entry.__enter__()
        try:
            await self.app(scope, request.receive, request.send)
        except BaseException as error:
            _report_late(scope, error)
            request.finish(error)
            raise
        else:
            request.finish()
        finally:
            entry.__exit__()
            isolation.__exit__(None, None, None)


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
    if not is_disconnect(error):
        with _reporting:
            count_error(error, "api")
            capture_error(error)


def _report_late(scope: Scope, error: BaseException) -> None:
    """Report what leaves the application where no handler has: a WebSocket's, or a stack's of somebody else's."""
    if isinstance(error, Exception) and (scope["type"] == WEBSOCKET or not _error_marks.is_captured(error)):
        _report(error)


def _reporting_handler(kind: object, handle: Callable[..., Any]) -> Callable[..., Any]:
    """Return an exception handler that reports what it turns into a server's error, unless its cause is known.

    What nobody else handles (`kind` is `Exception` or 500) is reported first, before an answer is made or sent.
    """
    is_last = kind in (Exception, SERVER_ERROR)

    def begin(error: Exception) -> None:
        if is_last:
            _report(error)

    def end(error: Exception, response: Any) -> Any:  # noqa: ANN401 - a response, or None
        if getattr(response, "status_code", 0) >= SERVER_ERROR and not is_known(error):
            _report(error)
        return response

    if inspect.iscoroutinefunction(handle) or inspect.iscoroutinefunction(getattr(handle, "__call__", None)):  # noqa: B004 - an object whose call is a coroutine

        async def handle_async(request: Any, error: Exception) -> Any:  # noqa: ANN401 - as Starlette's
            begin(error)
            return end(error, await handle(request, error))

        return handle_async

    def handle_sync(request: Any, error: Exception) -> Any:  # noqa: ANN401 - as Starlette's
        begin(error)
        return end(error, handle(request, error))

    return handle_sync
