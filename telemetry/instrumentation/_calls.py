"""One call to another company's API under way: its span, how long until the answer's headers, how it ended."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from opentelemetry import trace

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry._suppression import is_suppressed
from telemetry.instrumentation._rate_limit import remaining_ratio
from telemetry.propagation import names_of_host, set_trace_headers
from telemetry.redaction import clean_url

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from types import TracebackType

__all__ = ["CallObserver", "service_of"]

_CLIENT_ERROR = 400
_BOT_API = re.compile(r"/bot\d+(?::|%3[Aa])[\w-]+/")
_starting, _finishing = Guard("start a call's span"), Guard("finish a call")


class CallObserver:
    """A call; a context manager that ends it with the answer given to `answered`, or with what leaves the block.

    Calls of the Bot API, and those within OpenTelemetry's `suppress_instrumentation`, are not recorded.
    """

    __slots__ = ("_service", "_span", "_start", "_watched")

    def __init__(self, method: str, url: str, headers: MutableMapping[str, str], *, resent: int = 0) -> None:
        """Start the span and the clock; let the trace headers be what the host may see."""
        self._span: trace.Span = trace.INVALID_SPAN
        self._service = catalog.OTHER
        self._start = time.perf_counter()
        self._watched = not is_suppressed() and _BOT_API.search(url) is None
        with _starting:
            if self._watched:
                self._service = service_of(url)
                self._span = current().tracer.start_span(f"{method} {self._service}", kind=trace.SpanKind.CLIENT)
            if self._span.is_recording():
                self._span.set_attributes(_attributes(method, url, self._service, resent))
        set_trace_headers(url, headers, self._span)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._failed(error)

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Record an answer: its status (HTTP) and what its headers say of the rate limit."""
        with _finishing:
            failed = status >= _CLIENT_ERROR
            self._span.set_attribute("http.response.status_code", status)
            if failed:
                self._span.set_status(trace.StatusCode.ERROR)
                self._span.set_attribute("error.type", str(status))
            ratio = remaining_ratio(headers) if self._watched else None
            if ratio is not None:
                current().instruments.set(catalog.EXTERNAL_API_RATE_LIMIT, ratio, {"service": self._service})
            self._finish("error" if failed else "success")

    def _failed(self, error: BaseException) -> None:
        """Record that no answer came: an error, unless the application gave the call up (cancelled)."""
        with _finishing:
            failed = isinstance(error, Exception)
            if failed:
                self._span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            self._span.set_attribute("error.type", type(error).__name__)
            self._finish("error" if failed else "cancelled")

    def _finish(self, status: str) -> None:
        self._span.end()
        if self._watched:
            labels = {"service": self._service, "status": status}
            instruments = current().instruments
            instruments.add(catalog.EXTERNAL_API_CALLS, 1, labels)
            instruments.record(catalog.EXTERNAL_API_DURATION, time.perf_counter() - self._start, labels)


def service_of(url: str) -> str:
    """Name the external API at an address; `other` when the settings do not know it."""
    services = current().settings.external_services
    return next((services[name] for name in names_of_host(url) if name in services), catalog.OTHER)


def _attributes(method: str, url: str, service: str, resent: int) -> dict[str, str | int]:
    parts = urlsplit(url)
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "server.address": parts.hostname or "",
        "url.full": clean_url(url),
        "peer.service": service,
    }
    if parts.port:
        attributes["server.port"] = parts.port
    if resent:
        attributes["http.request.resend_count"] = resent
    return attributes
