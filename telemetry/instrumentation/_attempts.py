"""The attempts of requests: one `send` of its adapter may be several, since urllib3 repeats what a `Retry` asks for.

`HTTPConnectionPool._make_request` is the one place that each attempt passes; urllib3 has no public one.
https://github.com/urllib3/urllib3/blob/2.8.0/src/urllib3/connectionpool.py

`putheader` is the last place a header passes on its way out, also one that somebody adds below requests, as Sentry's
standard integrations do: what a host may not see stops there.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from telemetry.instrumentation._calls import CallObserver
from telemetry.propagation import TRACE_HEADERS, may_see_trace

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["wrap_attempt", "wrap_putheader", "wrap_send"]


class _Sending:
    """What one `send` asks for, and how often it was tried."""

    def __init__(self, request: Any) -> None:  # noqa: ANN401 - requests' PreparedRequest
        self.method = str(request.method)
        self.url = str(request.url)
        self.trusted = may_see_trace(self.url)
        self.attempts = 0


_sending: ContextVar[_Sending | None] = ContextVar("telemetry_sending", default=None)


def wrap_send(send: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap requests' adapter; what fails before any attempt (no connection to be had) counts as one."""

    def send_observed(adapter: Any, request: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as requests'
        sending = _Sending(request)
        token = _sending.set(sending)
        try:
            return send(adapter, request, *args, **kwargs)
        except BaseException as error:
            if sending.attempts == 0:
                CallObserver(sending.method, sending.url, {}).__exit__(type(error), error, None)
            raise
        finally:
            _sending.reset(token)

    return send_observed


def wrap_attempt(attempt: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap one attempt of urllib3; those of others than requests pass."""

    def attempt_observed(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as urllib3's
        sending = _sending.get()
        if sending is None:
            return attempt(*args, **kwargs)
        headers = dict(kwargs.get("headers") or {})
        with CallObserver(sending.method, sending.url, headers, resent=sending.attempts) as call:
            sending.attempts += 1
            response = attempt(*args, **kwargs | {"headers": headers})
            call.answered(response.status, response.headers)
            return response

    return attempt_observed


def wrap_putheader(put: Callable[..., None]) -> Callable[..., None]:
    """Wrap what writes a header."""

    def put_allowed(connection: Any, header: Any, *values: Any) -> None:  # noqa: ANN401 - as urllib3's
        sending = _sending.get()
        name = header.decode("latin-1") if isinstance(header, bytes) else header
        if sending is None or sending.trusted or name.lower() not in TRACE_HEADERS:
            put(connection, header, *values)

    return put_allowed
