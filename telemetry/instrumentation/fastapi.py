"""FastAPI: one server span a request, the plan's HTTP metrics, unhandled exceptions.

Spans come from the field's ASGI middleware, without its spans for each message sent and received; they are named by
the route's pattern, which is taken from the router once it has matched. Metrics: `http_requests_total`,
`http_request_duration_seconds` until the last byte, without background tasks. An exception that leaves the application
is counted and sent to Sentry inside its span. Never recorded: paths, query strings, headers, bodies.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context, metrics, trace

from telemetry import catalog
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import Runtime, current
from telemetry.context import capture_error, count_error
from telemetry.instrumentation._handle import Handle

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

UNMATCHED = "unmatched"
"""The endpoint of every request that no route answers."""

_SERVER_ERROR = 500
_UNSAMPLED = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
_NATIVE = "fastapi.telemetry"
"""FastAPI records nothing itself where the scope has this key; a mounted application asks anew, and would."""

_finishing, _naming = Guard("finish a request"), Guard("name a request's span")


def instrument_fastapi(app: FastAPI) -> Handle:
    """Record the requests of `app`; call it before the first request, closing the handle undoes it.

    Raises `MissingExtraError` without the packages of the extra `fastapi`.
    """
    asgi = require("opentelemetry.instrumentation.asgi", feature="instrument_fastapi", extra="fastapi")
    build_before = app.build_middleware_stack

    def build() -> ASGIApp:
        stack = cast("ServerErrorMiddleware", build_before())
        stack.app = ErrorLayer(stack.app)
        recorded = asgi.OpenTelemetryMiddleware(
            stack,
            default_span_details=lambda scope: (scope.get("method", "websocket"), {}),
            tracer=current().tracer,
            meter=metrics.NoOpMeter("telemetry"),
            exclude_spans=["receive", "send"],
        )
        return RequestLayer(recorded, current())

    app.build_middleware_stack = build  # type: ignore[method-assign]
    app.middleware_stack = None

    def undo() -> None:
        app.build_middleware_stack = build_before  # type: ignore[method-assign]
        app.middleware_stack = None

    return Handle(undo)


class RequestLayer:
    """Outermost: decides what is recorded, opens a Sentry scope, measures.

    `app` is public because FastAPI walks it to learn that it need not record the request itself.
    """

    def __init__(self, app: ASGIApp, runtime: Runtime) -> None:
        """Keep configuration only; a request's state lives in a `Request`."""
        self.app = app
        self._runtime = runtime
        self._excluded = [re.compile(pattern) for pattern in runtime.settings.excluded_urls]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif any(pattern.search(scope["path"]) for pattern in self._excluded):
            await self._unrecorded(scope, receive, send)
        else:
            await self._measured(scope, receive, send)

    async def _unrecorded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve under a parent that is not sampled, so that no query or call below it makes a span."""
        token = context.attach(trace.set_span_in_context(_UNSAMPLED))
        try:
            await self.app(scope, receive, send)
        finally:
            context.detach(token)

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, self._runtime)
        scope.setdefault(_NATIVE, None)

        async def watched_send(message: Message) -> None:
            await send(message)
            request.sent(message)

        with self._runtime.sentry.scope():
            try:
                await self.app(scope, receive, watched_send)
            finally:
                request.finish()


class Request:
    """One request under way: its clock and its status."""

    def __init__(self, scope: Scope, runtime: Runtime) -> None:
        """Start the clock."""
        self._scope = scope
        self._runtime = runtime
        self._status = _SERVER_ERROR
        self._finished = False
        self._start = time.perf_counter()

    def sent(self, message: Message) -> None:
        """Note the status; the last byte ends the request, whatever runs after it in the background."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body" and not message.get("more_body", False):
            self.finish()

    def finish(self) -> None:
        """Record the metrics, once."""
        if self._finished:
            return
        self._finished = True
        with _finishing:
            labels = {
                "method": self._scope["method"],
                "endpoint": endpoint(self._scope) or UNMATCHED,
                "status": str(self._status),
            }
            self._runtime.instruments.add(catalog.HTTP_REQUESTS, 1, labels)
            duration = time.perf_counter() - self._start
            self._runtime.instruments.record(catalog.HTTP_REQUEST_DURATION, duration, labels)


class ErrorLayer:
    """Innermost but for the application: inside the span, it names it late and reports what leaves the application."""

    def __init__(self, app: ASGIApp) -> None:
        """Keep the application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def naming_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                name_span(scope)
            await send(message)

        try:
            await self.app(scope, receive, naming_send)
        except Exception as error:
            name_span(scope)
            count_error(error, "api")
            capture_error(error)
            raise


def name_span(scope: Scope) -> None:
    """Give the server span the name of its route."""
    with _naming:
        span = trace.get_current_span()
        route = endpoint(scope)
        if route is not None and span.is_recording():
            span.update_name(f"{scope['method']} {route}")
            span.set_attribute("http.route", route)


def endpoint(scope: Scope) -> str | None:
    """Return the pattern of the route that answered, mounts and included routers in front; None when none did."""
    chosen = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    pattern = getattr(chosen, "path_format", None) or getattr(chosen, "path", None)
    if pattern is None:
        return None
    outer = scope.get("app_root_path", "")
    return f"{scope.get('root_path', '').removeprefix(outer)}{pattern}"
