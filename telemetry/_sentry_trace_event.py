"""A trace as the event that Sentry calls a transaction, with what its own span processor would say of it.

https://develop.sentry.dev/sdk/data-model/event-payloads/transaction/
"""

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id
from sentry_sdk.tracing import get_span_status_from_http_code

from telemetry._clean_spans import clean_spans
from telemetry._sentry_spans import KIND, operation
from telemetry._users import ATTRIBUTE as USER

__all__ = ["Facts", "Trace", "envelope", "transaction"]

Trace = tuple[ReadableSpan, Sequence[ReadableSpan]]
"""A root span, or the first one here, and the spans below it."""
_TAG = "tag."
_GZIP = 31
"""zlib's word for the format of gzip."""
_WORTH_COMPRESSING = 8192
"""Bytes; to compress less than that gives the interpreter's lock away for the sake of a packet."""
_to_json = json.JSONEncoder(separators=(",", ":"), default=str).encode


@dataclass(frozen=True)
class Facts:
    """What every transaction of a process says."""

    environment: str
    release: str | None
    server_name: str
    sdk: str


def envelope(event: dict[str, Any]) -> tuple[bytes, str]:
    """Return a transaction in an envelope, and how that is encoded: `gzip`, or `identity` where it is short."""
    payload = _to_json(event).encode()
    header = f'{{"event_id":"{event["event_id"]}","sent_at":"{_iso(time.time_ns())}"}}'.encode()
    item = b'{"type":"transaction","content_type":"application/json","length":%d}' % len(payload)
    found = b"\n".join([header, item, payload, b""])
    return (found, "identity") if len(found) < _WORTH_COMPRESSING else (zlib.compress(found, 1, _GZIP), "gzip")


def transaction(trace: Trace, facts: Facts) -> dict[str, Any]:
    """Return the event of a trace, cleaned; raises where it cannot be cleaned."""
    ended, children = trace
    root, *inside = clean_spans([ended, *sorted(children, key=_begin)])
    attributes = dict(root.attributes or {})
    tags = {key.removeprefix(_TAG): str(value) for key, value in attributes.items() if key.startswith(_TAG)}
    return {
        "type": "transaction",
        "event_id": f"{random.getrandbits(128):032x}",  # as the SDK's ids: the system's own give the lock away
        "transaction": root.name,
        "transaction_info": {"source": "route" if "http.route" in attributes else "task"},
        "platform": "python",
        "environment": facts.environment,
        "release": facts.release,
        "server_name": facts.server_name,
        "sdk": {"name": "sentry.python", "version": facts.sdk},
        "start_timestamp": _iso(root.start_time),
        "timestamp": _iso(root.end_time),
        "contexts": {"trace": _facts_of(root) | {"origin": "auto.otel"}},
        "tags": tags,
        "user": {"id": attributes[USER]} if USER in attributes else {},
        "spans": [_span(span) for span in inside],
    }


def _span(span: ReadableSpan) -> dict[str, Any]:
    times = {"start_timestamp": _iso(span.start_time), "timestamp": _iso(span.end_time)}
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


def _iso(nanoseconds: int | None) -> str:
    """Return a time with its microseconds; those of spans lie within a few seconds, which are written once."""
    seconds, microseconds = divmod(((nanoseconds or 0) + 500) // 1000, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06d}Z"


@lru_cache(64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
