"""Finished spans as Sentry's transactions, without Sentry's span processor: nothing is done until a trace has ended.

The processor builds a span of Sentry's beside each of ours while the request waits, also where Sentry is not to get the
trace. Here the spans of a trace that Sentry keeps are collected as they end; a thread makes the transaction of them and
posts it, with the operations, statuses and data that `_sentry_spans.py` gives it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from http.client import HTTPException
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor
from sentry_sdk.consts import VERSION, EndpointType
from sentry_sdk.utils import Dsn

from telemetry._guard import Guard
from telemetry._sentry_trace_event import Facts, envelope
from telemetry._sentry_wire import Wire
from telemetry._worker import Worker
from telemetry.accounting import NETWORK, RATE_LIMITED, REFUSED, SHUTDOWN
from telemetry.entry import REASON
from telemetry.sampling import sentry_keeps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

    from telemetry._sentry_trace_event import Trace
    from telemetry.accounting import Account
    from telemetry.settings import Settings
    from telemetry.switches import Switches

__all__ = ["TransactionProcessor", "TransactionSender", "Transactions"]

_MOST_TRACES, _MOST_SPANS, _MOST_WAITING = 2000, 1000, 500
_CONNECTIONS = 4
"""Used at once where so many wait: over one, an answer that takes long is in the way of all."""
_DELAY_SECONDS, _BATCH = 1.0, 100
"""Sent once a second or when so many wait: to wake a thread for each takes an application that is busy 50 us."""
_OK, _TOO_MANY = range(200, 300), 429
_LIMITS = "x-sentry-rate-limits"
_PAUSE_SECONDS = 60.0
_collecting, _sending = Guard("collect a trace for Sentry"), Guard("send a transaction to Sentry")


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
        try:
            if (context := span.context) is not None and self._keeps(context.trace_id):
                self._collect(span, context)
        except Exception as error:  # noqa: BLE001 - the guard's own kind
            _collecting.caught(error)

    def _collect(self, span: ReadableSpan, context: SpanContext) -> None:
        parent = span.parent
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
        self._wires = [Wire(self._url, self._headers) for _ in range(_CONNECTIONS)]
        self._waiting: deque[Trace] = deque()
        self._worker = Worker("telemetry.transactions", _DELAY_SECONDS, self._send_all, at_end=self._hang_up)
        self._paused_until = 0.0

    def put(self, trace: Trace) -> None:
        """Take a trace; where too many wait it is dropped and counted."""
        if self._worker.stopping:
            self._account.create()
            self._account.drop(SHUTDOWN)
        elif self._account.admit():
            self._waiting.append(trace)
            self._worker.start()
            if len(self._waiting) >= _BATCH:
                self._worker.wake()

    def flush(self, seconds: float) -> None:
        """Send what waits now; return when that is done, or after `seconds`."""
        self._worker.flush(seconds)

    def close(self, seconds: float) -> None:
        """Send what waits, for at most `seconds`, and stop."""
        self.flush(seconds)
        self._worker.stop()

    def _send_all(self) -> None:
        while self._waiting:
            self._send_some()

    def _hang_up(self) -> None:
        for wire in self._wires:
            wire.close()

    def _send_some(self) -> None:
        """Send some over each connection, then look at the answers."""
        if time.monotonic() < self._paused_until:
            self._waiting.popleft()
            self._account.drop(RATE_LIMITED)
            return
        share = math.ceil(len(self._waiting) / len(self._wires))
        under_way = [(wire, self._begin(wire, share)) for wire in self._wires if self._waiting]
        for wire, begun in under_way:
            with _sending:
                self._finish(wire, begun)

    def _begin(self, wire: Wire, share: int) -> int:
        """Write up to so many; returns how many could be made."""
        count = min(share, wire.room, len(self._waiting))
        traces = [self._waiting.popleft() for _ in range(count)]
        posts = [post for trace in traces if (post := self._made(trace)) is not None]
        wire.begin(posts)
        return len(posts)

    def _made(self, trace: Trace) -> tuple[bytes, str] | None:
        try:
            return envelope(trace, self._facts)
        except Exception as error:  # noqa: BLE001 - the guard's own kind
            self._account.drop(REFUSED)
            _sending.caught(error)
            return None

    def _finish(self, wire: Wire, begun: int) -> None:
        reason = REFUSED
        try:
            for status, headers in wire.finish():
                begun -= 1
                self._answered(status, headers)
        except (OSError, HTTPException):
            reason = NETWORK
        finally:
            if begun:
                self._account.drop(reason, begun)

    def _answered(self, status: int, headers: Mapping[str, str]) -> None:
        if status in _OK:
            self._account.send(1)
        else:
            self._account.drop(RATE_LIMITED if status == _TOO_MANY else REFUSED)
        if status == _TOO_MANY or _LIMITS in headers:
            self._pause(headers, status)

    def _pause(self, headers: Mapping[str, str], status: int) -> None:
        """Send nothing for as long as Sentry asks: `SECONDS:CATEGORY;CATEGORY:..., ...`, or Retry-After."""
        limits = [limit.split(":") for limit in headers.get(_LIMITS, "").split(",") if limit.strip()]
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
