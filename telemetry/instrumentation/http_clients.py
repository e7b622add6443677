"""requests, httpx and httpx2: a span and the plan's metrics for each call to another company's API.

Spans: `POST openai` (kind client) with method, host, status and the address without user and fragment, of its query the
keys in `TELEMETRY_URL_QUERY_KEYS`. Metrics: `external_api_calls_total`, `external_api_duration_seconds`,
`external_api_rate_limit_remaining_ratio` from the provider's own headers. `service` comes from a table of hosts in the
settings, `other` past it. Never recorded: headers, bodies; calls to Telegram's Bot API, whose address holds a token.

A call is one request on the wire: each attempt of a client that retries, each hop of a redirect. It ends with the
answer's headers; a body that breaks off later raises in the application and is not counted here. A call that the
application cancels is neither a success nor an error. Trace headers, whoever has set them, go to hosts on the
allow-list only. An adapter or a transport of the caller's own (`httpx.MockTransport`) is not seen, unless it goes on to
one of the library's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry import catalog
from telemetry._extras import require
from telemetry._runtime import current
from telemetry.instrumentation._attempts import wrap_attempt, wrap_putheader, wrap_send
from telemetry.instrumentation._calls import CallObserver
from telemetry.instrumentation._handle import Handle, Shared, patch_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["instrument_httpx", "instrument_requests"]


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


def _wrap_transport(send: Callable[..., Any]) -> Callable[..., Any]:
    def send_observed(transport: Any, request: Any) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        with CallObserver(request.method, str(request.url), request.headers) as call:
            response = send(transport, request)
            call.answered(response.status_code, response.headers)
            return response

    return send_observed


def _wrap_transport_async(send: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def send_observed(transport: Any, request: Any) -> Any:  # noqa: ANN401 - httpx's or httpx2's
        with CallObserver(request.method, str(request.url), request.headers) as call:
            response = await send(transport, request)
            call.answered(response.status_code, response.headers)
            return response

    return send_observed


def _start_requests() -> Callable[[], None]:
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - optional package
    from urllib3.connection import HTTPConnection  # noqa: PLC0415
    from urllib3.connectionpool import HTTPConnectionPool  # noqa: PLC0415

    return patch_all(
        (HTTPAdapter, "send", wrap_send),
        (HTTPConnectionPool, "_make_request", wrap_attempt),
        (HTTPConnection, "putheader", wrap_putheader),
    )


def _start_httpx() -> Callable[[], None]:
    import httpx  # noqa: PLC0415 - optional package

    modules: list[Any] = [httpx]
    try:
        import httpx2  # noqa: PLC0415 - what newer SDKs of model providers use
    except ImportError:
        pass
    else:
        modules.append(httpx2)
    return patch_all(
        *((module.HTTPTransport, "handle_request", _wrap_transport) for module in modules),
        *((module.AsyncHTTPTransport, "handle_async_request", _wrap_transport_async) for module in modules),
    )


_requests, _httpx = Shared(_start_requests), Shared(_start_httpx)
