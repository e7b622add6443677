"""A trace as the event that Sentry calls a transaction, with what its own span processor would say of it.

https://develop.sentry.dev/sdk/data-model/event-payloads/transaction/
"""

# ruff: noqa: SLF001 - fields are read where `ReadableSpan` keeps them: a property is a call, two of them make copies

from __future__ import annotations

import json
import random
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode
from sentry_sdk.tracing import get_span_status_from_http_code

from telemetry._clean_spans import clean_name
from telemetry._sentry_spans import KIND, operation
from telemetry._users import ATTRIBUTE as USER
from telemetry.redaction import clean_attributes, own_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Facts", "Trace", "envelope"]

Trace = tuple[ReadableSpan, Sequence[ReadableSpan]]
"""A root span, or the first one here, and the spans below it."""
_TAG = "tag."
_GZIP = 31
"""zlib's word for the format of gzip."""
_WORTH_COMPRESSING = 8192
"""Bytes; to compress less than that gives the interpreter's lock away for the sake of a packet."""
_REMEMBERED, _SHORT = 8192, 128
"""Members of objects, and how long a text may be in one: longer ones are seldom the same twice."""
_KINDS = {kind: kind.name.lower() for kind in SpanKind}
_json = json.JSONEncoder(separators=(",", ":"), default=str).encode
_quoted = json.encoder.encode_basestring_ascii


@dataclass(frozen=True)
class Facts:
    """What every transaction of a process says."""

    environment: str
    release: str | None
    server_name: str
    sdk: str

    @cached_property
    def members(self) -> str:
        """They, as members of an event in JSON."""
        event = {
            "type": "transaction",
            "platform": "python",
            "environment": self.environment,
            "release": self.release,
            "server_name": self.server_name,
            "sdk": {"name": "sentry.python", "version": self.sdk},
        }
        return _json(event)[1:-1]


def envelope(trace: Trace, facts: Facts) -> tuple[bytes, str]:
    """Return a trace as a transaction in an envelope, and how that is encoded: `gzip`, or `identity` where it is short.

    Raises where it cannot be cleaned. Its JSON is written around what the spans say: most of it is ids, times and
    words that need no escaping, and to make dicts of them and encode those takes half as long again.
    """
    event_id = f"{random.getrandbits(128):032x}"  # as the SDK's ids: the system's own give the lock away
    payload = _event(trace, event_id, facts).encode()
    header = f'{{"event_id":"{event_id}","sent_at":"{_iso(time.time_ns())}"}}'.encode()
    item = b'{"type":"transaction","content_type":"application/json","length":%d}' % len(payload)
    found = b"\n".join([header, item, payload, b""])
    return (found, "identity") if len(found) < _WORTH_COMPRESSING else (zlib.compress(found, 1, _GZIP), "gzip")


def _event(trace: Trace, event_id: str, facts: Facts) -> str:
    root, children = trace
    own = own_keys()
    attributes = clean_attributes(root._attributes, own)
    tags = {key.removeprefix(_TAG): str(value) for key, value in attributes.items() if key.startswith(_TAG)}
    user = {"id": attributes[USER]} if USER in attributes else {}
    source = "route" if "http.route" in attributes else "task"
    return (
        f'{{{facts.members},"event_id":"{event_id}","transaction":{_quoted(clean_name(root._name, attributes))}'
        f',"transaction_info":{{"source":"{source}"}},{_times(root)}'
        f',"contexts":{{"trace":{{{_members(root, attributes)}}}}},"tags":{_object(tags)},"user":{_object(user)}'
        f',"spans":[{",".join([_span(span, own) for span in sorted(children, key=_begin)])}]}}'
    )


def _span(span: ReadableSpan, own: frozenset[str]) -> str:
    attributes = clean_attributes(span._attributes, own)
    name = _quoted(clean_name(span._name, attributes))
    return f'{{{_members(span, attributes)},{_times(span)},"description":{name}}}'


def _times(span: ReadableSpan) -> str:
    return f'"start_timestamp":"{_iso(span._start_time)}","timestamp":"{_iso(span._end_time)}"'


def _members(span: ReadableSpan, attributes: dict[str, Any]) -> str:
    context, parent = span._context, span._parent
    assert context is not None  # noqa: S101 - collected by it
    data = {**attributes, KIND: _KINDS[span._kind]}
    parent_id = f'"{parent.span_id:016x}"' if parent else "null"
    return (
        f'"trace_id":"{context.trace_id:032x}","span_id":"{context.span_id:016x}","parent_span_id":{parent_id}'
        f',"op":{_quoted(operation(data))},"status":"{_status(span, data)}","data":{_object(data)},"origin":"auto.otel"'
    )


def _object(facts: Mapping[str, Any]) -> str:
    """Write an object in JSON whose members are for the most those of the ones before."""
    members = []
    for key, value in facts.items():
        is_short = type(value) is int or (type(value) is str and len(value) <= _SHORT)
        members.append((_remembered if is_short else _member)(key, value))
    return f"{{{','.join(members)}}}"


def _member(key: str, value: object) -> str:
    return f"{_quoted(key)}:{_json(value)}"


_remembered = lru_cache(_REMEMBERED, typed=True)(_member)


def _status(span: ReadableSpan, data: dict[str, Any]) -> str:
    if code := data.get("http.response.status_code"):
        return get_span_status_from_http_code(int(code))
    return "internal_error" if span._status.status_code is StatusCode.ERROR else "ok"


def _begin(span: ReadableSpan) -> int:
    return span._start_time or 0


def _iso(nanoseconds: int | None) -> str:
    """Return a time with its microseconds; those of spans lie within a few seconds, which are written once."""
    seconds, microseconds = divmod(((nanoseconds or 0) + 500) // 1000, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06d}Z"


@lru_cache(64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
