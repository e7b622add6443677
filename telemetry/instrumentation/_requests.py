"""One HTTP request or WebSocket under way: its clock, how it ended, and what is recorded of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from telemetry import catalog
from telemetry._guard import Guard
from telemetry.entry import Root
from telemetry.redaction import http_method

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence

    from telemetry.entry import Entry

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

__all__ = ["UNMATCHED", "Request", "endpoint", "is_disconnect", "request_attributes", "span_name"]

UNMATCHED = "unmatched"
"""The endpoint of every request that no route answers."""

SERVER_ERROR = 500
CLIENT_CLOSED = 499
"""The status, by custom, of a request whose client did not wait for the whole answer."""

STREAM, SSE, WEBSOCKET = "stream", "sse", "websocket"
_finishing = Guard("finish a request")


class Request:
    """The state of one request; streams and WebSockets are measured apart from requests, whose time they would blur."""

    __slots__ = (
        "_entry", "_finished", "_gone", "_headers", "_receive", "_route", "_scope", "_seconds", "_send", "_start",
        "_status", "_stream", "_websocket",
    )  # fmt: skip

    def __init__(self, scope: Scope, entry: Entry, receive: Receive, send: Send) -> None:
        """Start the clock."""
        self._scope, self._entry, self._receive, self._send = scope, entry, receive, send
        self._websocket = scope["type"] == WEBSOCKET
        self._stream = WEBSOCKET if self._websocket else ""
        self._headers: Any = ()
        self._status = 0
        self._route: str | None = None
        self._seconds = 0.0
        self._gone = False
        self._finished = False
        self._start = time.perf_counter()

    async def receive(self) -> Message:
        """Receive, and note a client that has gone."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send, and note status and whether it is a stream."""
        kind = message["type"]
        if kind == "http.response.body":
            return self._send_body(message)
        if kind == "http.response.start":
            self._status = message["status"]
            self._headers = message.get("headers", ())
        return self._send(message)

    async def _send_body(self, message: Message) -> None:
        """Send; the last byte ends a request, whatever runs after it."""
        await self._send(message)
        if not message.get("more_body", False):
            self.finish()
        elif not self._stream:
            self._stream = _kind_of_stream(self._headers)

    def finish(self, error: BaseException | None = None) -> None:
        """Record the metrics, once, and the root span where the entry leaves one."""
        if self._finished:
            return
        self._finished = True
        self._seconds = time.perf_counter() - self._start
        try:
            self._close(error)
        except Exception as failure:  # noqa: BLE001 - the guard's own kind
            _finishing.caught(failure)

    def _close(self, error: BaseException | None) -> None:
        entry, status = self._entry, self._final_status(error)
        self._status, self._route = status, endpoint(self._scope)
        if status >= SERVER_ERROR:
            entry.fail(type(error).__name__ if error is not None else str(status))
        if entry.sampled:
            self._describe(entry.root)
        slow = not self._stream and self._seconds > entry.runtime.settings.slow_request_seconds
        entry.end(self._late_root, self._record, slow=slow)

    def _final_status(self, error: BaseException | None) -> int:
        """Return what was sent where the answer is complete; else whose fault it is that it is not."""
        if error is not None and not isinstance(error, asyncio.CancelledError) and not is_disconnect(error):
            return SERVER_ERROR
        if error is not None or self._gone:
            return CLIENT_CLOSED
        if not (self._status or self._websocket):
            return SERVER_ERROR
        return self._status

    def _record(self) -> None:
        key = "http", self._scope.get("method", ""), self._route, self._status, self._stream
        series = self._entry.runtime.instruments.bound(key, self._measures)
        for one, value in zip(series, (self._seconds, 1), strict=False):  # a WebSocket is no request
            one.measure(value)

    def _measures(self) -> Sequence[tuple[catalog.Metric, dict[str, str]]]:
        labels = {
            "method": self._scope.get("method", ""), "endpoint": self._route or UNMATCHED,
            "status": str(self._status), "kind": self._stream,
        }  # fmt: skip
        duration = catalog.HTTP_STREAM_DURATION if self._stream else catalog.HTTP_REQUEST_DURATION
        requests = [] if self._websocket else [catalog.HTTP_REQUESTS]
        return [(metric, labels) for metric in (duration, *requests)]

    def root(self) -> Root:
        """Return the span as it starts, before any route has matched."""
        return Root(span_name(self._scope, None), trace.SpanKind.SERVER, request_attributes(self._scope))

    def _describe(self, span: trace.Span) -> None:
        span.update_name(span_name(self._scope, self._route))
        found: dict[str, str | int] = {"http.route": self._route} if self._route else {}
        if not self._websocket:
            found["http.response.status_code"] = self._status
        if self._status >= SERVER_ERROR:
            found["error.type"] = str(self._status)
        span.set_attributes(found)

    def _late_root(self) -> Root:
        attributes: dict[str, str | int] = {"http.route": self._route} if self._route else {}
        if not self._websocket:
            attributes |= {
                "http.request.method": http_method(self._scope["method"]),
                "http.response.status_code": self._status,
            }
        return Root(span_name(self._scope, self._route), trace.SpanKind.SERVER, attributes)


def request_attributes(scope: Scope) -> dict[str, str | int]:
    """Return what the ASGI middleware of the field says of a request, without address, path and query string."""
    host, port = scope.get("server") or ("0.0.0.0", 80)  # noqa: S104 - what the field says where a server does not
    found: dict[str, str | int] = {"url.scheme": scope.get("scheme", ""), "server.address": host}
    if port:
        found["server.port"] = port
    found["network.protocol.version"] = scope.get("http_version", "")
    if "method" in scope:
        found["http.request.method"] = http_method(scope["method"])
    for name, value in scope.get("headers", ()):
        if name == b"user-agent":
            found["user_agent.original"] = value.decode("latin-1")
            break
    return found


def _kind_of_stream(headers: Any) -> str:  # noqa: ANN401 - pairs of bytes
    """Tell what an answer is if more than one piece of it comes: of a known length, it is no stream."""
    names = {name.lower(): value for name, value in headers}
    if names.get(b"content-type", b"").startswith(b"text/event-stream"):
        return SSE
    return "" if b"content-length" in names else STREAM


def is_disconnect(error: BaseException | None) -> bool:
    """Tell whether this is Starlette's word for a client that has gone."""
    return type(error).__name__ == "ClientDisconnect"


def span_name(scope: Scope, route: str | None) -> str:
    """Return the name of the server span: method and route, the method alone where no route answered."""
    method = http_method(scope["method"]) if "method" in scope else WEBSOCKET
    return f"{method} {route}" if route else method


def endpoint(scope: Scope) -> str | None:
    """Return the pattern of the route that answered, mounts and included routers in front; None when none did."""
    pattern = None
    if (chosen := scope.get("fastapi", {}).get("effective_route_context")) is not None:
        pattern = _pattern(chosen) or _pattern(getattr(chosen, "starlette_route", None))
    if pattern is None and (pattern := _pattern(scope.get("route"))) is None:
        return None
    outer = scope.get("app_root_path", "")
    return f"{scope.get('root_path', '').removeprefix(outer)}{pattern}"


def _pattern(route: object) -> str | None:
    """Return a route's pattern; FastAPI's own description of a WebSocket's route has none."""
    return getattr(route, "path_format", None) or getattr(route, "path", None) or None
