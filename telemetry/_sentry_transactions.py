"""Finished spans as Sentry's transactions, without Sentry's span processor: nothing is done until a trace has ended.

The processor builds a span of Sentry's beside each of ours while the request waits, also where Sentry is not to get the
trace. Here the spans of a trace that Sentry keeps are collected as they end; a thread makes the transaction of them and
posts it, with the operations, statuses and data that `_sentry_spans.py` gives it.

https://develop.sentry.dev/sdk/data-model/event-payloads/transaction/
"""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
import zlib
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException, HTTPMessage
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id
from sentry_sdk.consts import VERSION, EndpointType
from sentry_sdk.tracing import get_span_status_from_http_code
from sentry_sdk.utils import Dsn

from telemetry._clean_spans import clean_spans
from telemetry._guard import Guard
from telemetry._sentry_spans import KIND, operation
from telemetry._sentry_wire import Wire
from telemetry._users import ATTRIBUTE as USER
from telemetry.accounting import NETWORK, RATE_LIMITED, REFUSED, SHUTDOWN
from telemetry.entry import REASON
from telemetry.sampling import sentry_keeps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan

    from telemetry.accounting import Account
    from telemetry.settings import Settings
    from telemetry.switches import Switches

    Trace = tuple[ReadableSpan, Sequence[ReadableSpan]]

__all__ = ["Facts", "TransactionProcessor", "TransactionSender", "Transactions", "envelope", "transaction"]

_logger = logging.getLogger("telemetry")
_MOST_TRACES, _MOST_SPANS, _MOST_WAITING = 2000, 1000, 500
_OK, _TOO_MANY = range(200, 300), 429
_PAUSE_SECONDS = 60.0
_TAG = "tag."
_GZIP = 31
"""zlib's word for the format of gzip."""
_sending = Guard("send a transaction to Sentry")


@dataclass(frozen=True)
class Facts:
    """What every transaction of a process says."""

    environment: str
    release: str | None
    server_name: str
    sdk: str


class TransactionProcessor(SpanProcessor):
    """Collects the spans of traces that Sentry keeps, and hands each trace over when its root here has ended.

    Spans that end after it are left out; of too many open traces, or spans in one, the rest is left out, too.
    """

    def __init__(self, keeps: Callable[[int], bool], hand_over: Callable[[Trace], None]) -> None:
        """Ask `keeps` about a trace's id."""
        self._keeps, self._hand_over = keeps, hand_over
        self._open: dict[int, list[ReadableSpan]] = {}

    def begin_again(self) -> None:
        """Collect nothing of the parent's, in a forked child."""
        self._open = {}

    def on_end(self, span: ReadableSpan) -> None:
        """Collect a span, or hand its trace over."""
        context, parent = span.context, span.parent
        if context is None or not self._keeps(context.trace_id):
            return
        if parent is None or parent.is_remote:
            inside = self._open.pop(context.trace_id, [])
            if REASON not in (span.attributes or {}):
                self._hand_over((span, inside))
            return
        inside = self._open.setdefault(context.trace_id, [])
        if len(inside) < _MOST_SPANS:
            inside.append(span)
        if len(self._open) > _MOST_TRACES:
            self._open.pop(next(iter(self._open)), None)


class TransactionSender:
    """Makes transactions of traces and posts them, in a thread that starts with the first one."""

    def __init__(self, url: str, headers: dict[str, str], facts: Facts, account: Account) -> None:
        """Post to Sentry's envelope endpoint."""
        self._url, self._headers, self._facts, self._account = url, headers, facts, account
        account.capacity = _MOST_WAITING
        self.begin_again()

    def begin_again(self) -> None:
        """Begin empty, as a forked child does, with a connection of its own."""
        self._wire = Wire(self._url, self._headers | {"content-encoding": "gzip"})
        self._waiting: deque[Trace] = deque()
        self._awake, self._idle = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopped = False
        self._paused_until = 0.0

    def put(self, trace: Trace) -> None:
        """Take a trace; where too many wait it is dropped and counted."""
        if self._stopped:
            self._account.create()
            self._account.drop(SHUTDOWN)
        elif self._account.admit():
            self._waiting.append(trace)
            self._idle.clear()
            if self._thread is None:
                self._start()
            self._awake.set()

    def flush(self, seconds: float) -> None:
        """Wait until none waits, for at most `seconds`."""
        if self._thread is not None:
            self._idle.wait(seconds)

    def close(self, seconds: float) -> None:
        """Send what waits, for at most `seconds`, and stop."""
        self.flush(seconds)
        self._stopped = True
        self._awake.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="telemetry.transactions", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopped:
            self._awake.wait()
            self._awake.clear()
            while self._waiting:
                with _sending:
                    self._send(self._waiting.popleft())
            self._idle.set()
        self._wire.close()

    def _send(self, trace: Trace) -> None:
        if time.monotonic() < self._paused_until:
            self._account.drop(RATE_LIMITED)
            return
        reason = REFUSED
        try:
            status, headers = self._wire.post(envelope(transaction(trace, self._facts)))
            if status in _OK:
                reason = ""
            elif status == _TOO_MANY:
                reason = RATE_LIMITED
            self._pause(headers, status)
        except (OSError, HTTPException):
            reason = NETWORK
        finally:
            self._account.drop(reason) if reason else self._account.send(1)

    def _pause(self, headers: HTTPMessage, status: int) -> None:
        """Send nothing for as long as Sentry asks: `SECONDS:CATEGORY;CATEGORY:..., ...`, or Retry-After."""
        limits = [limit.split(":") for limit in headers.get("x-sentry-rate-limits", "").split(",") if limit.strip()]
        ours = [limit[0] for limit in limits if len(limit) == 1 or {"", "transaction"} & set(limit[1].split(";"))]
        if status == _TOO_MANY and not ours:
            ours = [headers.get("retry-after", "")]
        for text in ours:
            seconds = float(text) if text.strip().isdecimal() else _PAUSE_SECONDS
            self._paused_until = max(self._paused_until, time.monotonic() + min(seconds, 3600.0))


class Transactions:
    """Processor and sender of a set-up."""

    def __init__(self, settings: Settings, switches: Switches, account: Account) -> None:
        """Send to the DSN of the settings what they let Sentry keep, while `switches` say so."""
        auth = Dsn(settings.sentry_dsn).to_auth(f"sentry.python/{VERSION}")
        headers = {"content-type": "application/x-sentry-envelope", "x-sentry-auth": str(auth.to_header())}
        facts = Facts(settings.environment, settings.release, settings.service_name, VERSION)
        self._sender = TransactionSender(auth.get_api_url(EndpointType.ENVELOPE), headers, facts, account)
        keeps = sentry_keeps(settings)
        self.processor: TransactionProcessor = TransactionProcessor(
            lambda trace_id: switches.sentry and keeps(trace_id), self._sender.put
        )

    def begin_again(self) -> None:
        """Begin with nothing, in a forked child."""
        self.processor.begin_again()
        self._sender.begin_again()

    def flush(self, seconds: float) -> None:
        """Wait until all that has ended is sent, for at most `seconds`."""
        self._sender.flush(seconds)

    def close(self, seconds: float) -> None:
        """Send, and stop."""
        self._sender.close(seconds)


def envelope(event: dict[str, Any]) -> bytes:
    """Return a transaction in an envelope, compressed."""
    payload = json.dumps(event, separators=(",", ":"), default=str).encode()
    header = json.dumps({"event_id": event["event_id"], "sent_at": _iso(time.time())}).encode()
    item = b'{"type":"transaction","content_type":"application/json","length":%d}' % len(payload)
    return zlib.compress(b"\n".join([header, item, payload, b""]), 1, wbits=_GZIP)


def transaction(trace: Trace, facts: Facts) -> dict[str, Any]:
    """Return the event of a trace, cleaned; raises where it cannot be cleaned."""
    ended, children = trace
    root, *inside = clean_spans([ended, *sorted(children, key=_begin)])
    attributes = dict(root.attributes or {})
    tags = {key.removeprefix(_TAG): str(value) for key, value in attributes.items() if key.startswith(_TAG)}
    return {
        "type": "transaction",
        "event_id": uuid.uuid4().hex,
        "transaction": root.name,
        "transaction_info": {"source": "route" if "http.route" in attributes else "task"},
        "platform": "python",
        "environment": facts.environment,
        "release": facts.release,
        "server_name": facts.server_name,
        "sdk": {"name": "sentry.python", "version": facts.sdk},
        "start_timestamp": _seconds(root.start_time),
        "timestamp": _seconds(root.end_time),
        "contexts": {"trace": _facts_of(root) | {"origin": "auto.otel"}},
        "tags": tags,
        "user": {"id": attributes[USER]} if USER in attributes else {},
        "spans": [_span(span) for span in inside],
    }


def _span(span: ReadableSpan) -> dict[str, Any]:
    times = {"start_timestamp": _seconds(span.start_time), "timestamp": _seconds(span.end_time)}
    return _facts_of(span) | times | {"description": span.name, "origin": "auto.otel"}


def _facts_of(span: ReadableSpan) -> dict[str, Any]:
    context = span.context
    assert context is not None  # noqa: S101 - collected by it
    data = dict(span.attributes or {}) | {KIND: span.kind.name.lower()}
    return {
        "trace_id": format_trace_id(context.trace_id),
        "span_id": format_span_id(context.span_id),
        "parent_span_id": format_span_id(span.parent.span_id) if span.parent else None,
        "op": operation(data),
        "status": _status(span, data),
        "data": data,
    }


def _status(span: ReadableSpan, data: dict[str, Any]) -> str:
    if code := data.get("http.response.status_code"):
        return get_span_status_from_http_code(int(code))
    return "internal_error" if span.status.status_code is StatusCode.ERROR else "ok"


def _begin(span: ReadableSpan) -> int:
    return span.start_time or 0


def _seconds(nanoseconds: int | None) -> str:
    return _iso((nanoseconds or 0) / 1e9)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
