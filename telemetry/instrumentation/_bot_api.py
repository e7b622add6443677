"""Calls of Telegram's Bot API, by method: count, time, in flight, flood control, and the polling for updates.

Spans: `telegram.api.METHOD` inside the trace of what made the call; none for `getUpdates`, which mostly waits.
A failed `getUpdates` is counted; it becomes an error, once an outage, when polling has failed for minutes.
Never recorded: the address (it holds the bot's token), parameters, results, what Telegram says of an error.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from opentelemetry import trace

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import capture_error, count_error, mark_reported
from telemetry.instrumentation._updates import status_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Bots", "wrap_request"]

POLL = "getUpdates"
DOWNLOAD = "download"
_starting, _finishing = Guard("start a Bot API call"), Guard("finish a Bot API call")


class Polling:
    """How long fetching updates has failed."""

    def __init__(self) -> None:
        """Nothing has failed yet."""
        self._failing_since: float | None = None
        self._reported = False

    def worked(self) -> None:
        """End an outage."""
        self._failing_since, self._reported = None, False

    def failed(self, error: BaseException) -> None:
        """Count a failed attempt; report the outage once it has lasted."""
        current().instruments.add(catalog.TELEGRAM_POLLING_ERRORS, 1, {"error_type": type(error).__name__})
        now = time.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if not self._reported and now - self._failing_since >= current().settings.polling_patience_seconds:
            self._reported = True
            count_error(error, "bot")
            capture_error(error)
        mark_reported(error)


class Bots:
    """The bots whose calls are recorded, known by the beginning of their addresses."""

    def __init__(self) -> None:
        """Record nobody's calls."""
        self._polling: dict[tuple[str, str], Polling] = {}
        self._in_flight = 0

    def add(self, base_url: str, base_file_url: str) -> Callable[[], None]:
        """Record a bot's calls; returns what ends that."""
        key = (f"{base_url}/", f"{base_file_url}/")
        self._polling[key] = Polling()
        stop = current().instruments.observe(catalog.TELEGRAM_API_IN_FLIGHT, lambda: [(self._in_flight, {})])

        def remove() -> None:
            self._polling.pop(key, None)
            stop()

        return remove

    def call(self, url: str) -> Call | None:
        """Return the call an address stands for, None where it is no call of a recorded bot."""
        url = unquote(url)  # a file's address has the token's colon encoded
        for (calls, files), polling in self._polling.items():
            if url.startswith(calls):
                return Call(url[len(calls) :].partition("?")[0], polling, self)
            if url.startswith(files):
                return Call(DOWNLOAD, polling, self)
        return None

    def count(self, change: int) -> None:
        """Note that a call has begun or ended."""
        self._in_flight += change


class Call:
    """One call under way."""

    def __init__(self, method: str, polling: Polling, bots: Bots) -> None:
        """Start the clock, and a span where one is wanted."""
        self._method, self._polling, self._bots = method, polling, bots
        self._span: trace.Span = trace.INVALID_SPAN
        self._start = time.perf_counter()
        with _starting:
            if method != POLL:
                bots.count(1)
                attributes = {"messaging.system": "telegram", "telegram.api.method": method}
                name = f"telegram.api.{method}"
                self._span = current().tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)

    def finish(self, error: BaseException | None = None) -> None:
        """Record how it went."""
        with _finishing:
            status = "success" if error is None else status_of(error)
            current().instruments.add(catalog.TELEGRAM_API_CALLS, 1, {"method": self._method, "status": status})
            if self._method == POLL:
                self._finish_poll(error)
            else:
                self._finish_call(error)

    def _finish_poll(self, error: BaseException | None) -> None:
        if error is None:
            self._polling.worked()
        elif isinstance(error, Exception):
            self._polling.failed(error)

    def _finish_call(self, error: BaseException | None) -> None:
        self._bots.count(-1)
        instruments, seconds = current().instruments, time.perf_counter() - self._start
        instruments.record(catalog.TELEGRAM_API_DURATION, seconds, {"method": self._method})
        if error is not None:
            if type(error).__name__ == "RetryAfter":
                instruments.add(catalog.TELEGRAM_FLOOD_CONTROL, 1, {"method": self._method})
            self._span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            self._span.set_attribute("error.type", type(error).__name__)
        self._span.end()


def wrap_request(bots: Bots) -> Callable[..., Any]:
    """Return a wrapper for the two methods of PTB's request class through which every call goes."""

    def wrap(send: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
        async def send_observed(request: Any, url: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as PTB's
            call = None if current().is_off else bots.call(url)
            if call is None:
                return await send(request, url, *args, **kwargs)
            try:
                result = await send(request, url, *args, **kwargs)
            except BaseException as error:
                call.finish(error)
                raise
            call.finish()
            return result

        return send_observed

    return wrap
