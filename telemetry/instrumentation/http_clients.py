"""requests, httpx and httpx2: a span and the plan's metrics for each call to another company's API.

Spans: `POST openai` (kind client) with method, host, status and the address without user, query and fragment. Metrics:
`external_api_calls_total`, `external_api_duration_seconds` until the answer's headers,
`external_api_rate_limit_remaining_ratio` from the provider's own headers. `service` comes from a table of hosts in the
settings, `other` past it. Each attempt of a client that retries is a call. Trace headers go to hosts on the allow-list
only. Never recorded: query strings, headers, bodies; calls to Telegram's Bot API, whose address holds the bot's token.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from telemetry import catalog
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.instrumentation._handle import Handle, Shared, patch_all
from telemetry.instrumentation._rate_limit import remaining_ratio
from telemetry.propagation import inject_for
from telemetry.redaction import clean_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

__all__ = ["instrument_httpx", "instrument_requests"]

_CLIENT_ERROR = 400
_BOT_API = re.compile(r"/bot\d+(?::|%3[Aa])[\w-]+/")
_starting, _finishing = Guard("start a call's span"), Guard("finish a call")


def instrument_requests() -> Handle:
    """Record the calls made with requests; raises `MissingExtraError` without it."""
    require("requests", feature="instrument_requests", extra="http-clients")
    _start_at_zero()
    return _requests.acquire()


def instrument_httpx() -> Handle:
    """Record the calls made with httpx, and httpx2 where it is installed; raises `MissingExtraError` without httpx."""
    require("httpx", feature="instrument_httpx", extra="http-clients")
    _start_at_zero()
    return _httpx.acquire()


def _start_at_zero() -> None:
    services = {*current().settings.external_services.values(), catalog.OTHER}
    current().instruments.start_at_zero(catalog.EXTERNAL_API_CALLS, service=services)


class CallObserver:
    """One call under way."""

    __slots__ = ("_service", "_span", "_start")

    def __init__(self, method: str, url: str, headers: MutableMapping[str, str]) -> None:
        """Start the span and the clock; add trace headers where the host may see them."""
        self._span: trace.Span = trace.INVALID_SPAN
        self._service = catalog.OTHER
        self._start = time.perf_counter()
        with _starting:
            parts = urlsplit(url)
            self._service = service_of(parts.netloc.rpartition("@")[2])
            self._span = current().tracer.start_span(f"{method} {self._service}", kind=trace.SpanKind.CLIENT)
            if self._span.is_recording():
                self._span.set_attributes(_attributes(method, url, self._service))
            with trace.use_span(self._span):
                inject_for(parts.netloc, headers)

    def finish(self, status: int, headers: MutableMapping[str, str]) -> None:
        """Record an answer: its status (HTTP) and what its headers say of the rate limit."""
        with _finishing:
            self._span.set_attribute("http.response.status_code", status)
            if status >= _CLIENT_ERROR:
                self._span.set_status(trace.StatusCode.ERROR)
                self._span.set_attribute("error.type", str(status))
            ratio = remaining_ratio(headers)
            if ratio is not None:
                current().instruments.set(catalog.EXTERNAL_API_RATE_LIMIT, ratio, {"service": self._service})
            self._measure("error" if status >= _CLIENT_ERROR else "success")

    def fail(self, error: BaseException) -> None:
        """Record that no answer came."""
        with _finishing:
            self._span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            self._span.set_attribute("error.type", type(error).__name__)
            self._measure("error")

    def _measure(self, status: str) -> None:
        labels = {"service": self._service, "status": status}
        instruments = current().instruments
        instruments.add(catalog.EXTERNAL_API_CALLS, 1, labels)
        instruments.record(catalog.EXTERNAL_API_DURATION, time.perf_counter() - self._start, labels)
        self._span.end()


def service_of(netloc: str) -> str:
    """Name the external API behind `HOST` or `HOST:PORT`; `other` when the settings do not know it."""
    services = current().settings.external_services
    return services.get(netloc) or services.get(netloc.partition(":")[0], catalog.OTHER)


def _watched(url: str) -> bool:
    return is_instrumentation_enabled() and _BOT_API.search(url) is None


def _wrap_sync(send: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap what sends one request: requests' adapter, httpx's and httpx2's transport."""

    def send_observed(sender: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the library's
        url = str(request.url)
        if not _watched(url):
            return send(sender, request, *args, **kwargs)
        observer = CallObserver(request.method, url, request.headers)
        try:
            response = send(sender, request, *args, **kwargs)
        except BaseException as error:
            observer.fail(error)
            raise
        observer.finish(response.status_code, response.headers)
        return response

    return send_observed


def _wrap_async(send: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def send_observed(sender: Any, request: Any) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        url = str(request.url)
        if not _watched(url):
            return await send(sender, request)
        observer = CallObserver(request.method, url, request.headers)
        try:
            response = await send(sender, request)
        except BaseException as error:
            observer.fail(error)
            raise
        observer.finish(response.status_code, response.headers)
        return response

    return send_observed


def _attributes(method: str, url: str, service: str) -> dict[str, str | int]:
    parts = urlsplit(url)
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "server.address": parts.hostname or "",
        "url.full": clean_url(url),
        "peer.service": service,
    }
    return attributes | ({"server.port": parts.port} if parts.port else {})


def _start_requests() -> Callable[[], None]:
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - optional package

    return patch_all((HTTPAdapter, "send", _wrap_sync))


def _start_httpx() -> Callable[[], None]:
    import httpx  # noqa: PLC0415 - optional package

    modules: list[Any] = [httpx]
    try:
        import httpx2  # noqa: PLC0415 - what newer SDKs of model providers use
    except ImportError:
        pass
    else:
        modules.append(httpx2)
    sync = [(module.HTTPTransport, "handle_request", _wrap_sync) for module in modules]
    return patch_all(*sync, *((module.AsyncHTTPTransport, "handle_async_request", _wrap_async) for module in modules))


_requests, _httpx = Shared(_start_requests), Shared(_start_httpx)
