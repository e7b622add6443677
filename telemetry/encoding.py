"""Spans as OTLP's bytes, written directly: what the stock encoder makes by way of a tree of protobuf messages.

The bytes are the same (a property test compares them); the tree costs four times as much, on the interpreter's lock,
which the application needs. Fields stand in the order of their numbers, as protobuf itself writes them.

https://github.com/open-telemetry/opentelemetry-proto/blob/v1.9.0/opentelemetry/proto/trace/v1/trace.proto
"""

# ruff: noqa: SLF001 - fields are read where `ReadableSpan` keeps them: a property is a call, two of them make copies

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import StatusCode

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, Status

    Group = dict[Resource, dict[InstrumentationScope | None, list[bytes]]]

__all__ = ["encode_spans"]

_REMEMBERED = 8192
_SHORT = 128
"""Longer texts are seldom the same twice, and are not remembered."""
_LAST_OF_ONE_BYTE = 0x7F
_NONE: Sequence[Any] = ()
"""There is one empty tuple: most spans have it for events and links."""

_fixed32, _fixed64, _double = struct.Struct("<I").pack, struct.Struct("<Q").pack, struct.Struct("<d").pack
_LOCAL, _REMOTE = _fixed32(0x100), _fixed32(0x100 | 0x200)
"""That it is known whether a span's parent is remote, and whether it is."""
_ONE_BYTE = [bytes([number]) for number in range(_LAST_OF_ONE_BYTE + 1)]


def encode_spans(spans: Sequence[ReadableSpan]) -> bytes:
    """Return an ExportTraceServiceRequest; raises `ValueError` or `struct.error` for a span that has no such form."""
    by_resource: Group = {}
    last: tuple[object, object] | None = (
        None  # the hash of a resource writes it as JSON; most spans have the last one's
    )
    found: list[bytes] = []
    for span in spans:
        if last is None or span.resource is not last[0] or span.instrumentation_scope is not last[1]:
            last = span.resource, span.instrumentation_scope
            found = by_resource.setdefault(span.resource, {}).setdefault(span.instrumentation_scope or None, [])
        found.append(_part(0x12, _span(span)))
    return b"".join(_part(0x0A, _of_resource(resource, scopes)) for resource, scopes in by_resource.items())


def _of_resource(resource: Resource, scopes: dict[InstrumentationScope | None, list[bytes]]) -> bytes:
    described = _part(0x0A, _attributes(0x0A, resource.attributes))
    parts = [_part(0x12, _of_scope(scope, spans)) for scope, spans in scopes.items()]
    return b"".join([described, *parts, _text(0x1A, resource.schema_url)])


def _of_scope(scope: InstrumentationScope | None, spans: list[bytes]) -> bytes:
    if scope is None:
        return b"".join([_part(0x0A, b""), *spans])
    described = _text(0x0A, scope.name) + _text(0x12, scope.version) + _attributes(0x1A, scope.attributes)
    return b"".join([_part(0x0A, described), *spans, _text(0x1A, scope.schema_url)])


def _span(span: ReadableSpan) -> bytes:
    context, parent, status = span._context, span._parent, span._status
    if context is None:
        raise ValueError(f"a span has a context ({span.name} has none)")
    return b"".join([
        _ids(context),
        _trace_state(context),
        b"\x22\x08" + parent.span_id.to_bytes(8, "big") if parent else b"",
        _name(span._name),
        b"\x30" + _ONE_BYTE[span._kind._value_ + 1],
        b"\x39" + _fixed64(span._start_time) if span._start_time else b"",
        b"\x41" + _fixed64(span._end_time) if span._end_time else b"",
        _attributes(0x4A, span._attributes),
        _count(0x50, span.dropped_attributes),
        _events_and_links(span) if span._events is not _NONE or span._links is not _NONE else b"",
        _part(0x7A, _status(status)) if status.description else _BARE_STATUS[status.status_code._value_],
        b"\x85\x01" + _flags(parent),
    ])  # fmt: skip


def _events_and_links(span: ReadableSpan) -> bytes:
    return b"".join(
        [
            *[_part(0x5A, _event(event)) for event in span.events],
            _count(0x60, span.dropped_events),
            *[_part(0x6A, _link(link)) for link in span.links],
            _count(0x70, span.dropped_links),
        ]
    )


def _event(event: Event) -> bytes:
    time = b"\x09" + _fixed64(event.timestamp) if event.timestamp else b""
    return time + _text(0x12, event.name) + _attributes(0x1A, event.attributes) + _count(0x20, event.dropped_attributes)


def _link(link: Link) -> bytes:
    facts = _attributes(0x22, link.attributes) + _count(0x28, getattr(link, "dropped_attributes", 0))
    return _ids(link.context) + facts + b"\x35" + _flags(link.context)


def _status(status: Status) -> bytes:
    return _text(0x12, status.description) + _count(0x18, status.status_code.value)


@lru_cache(_REMEMBERED)
def _name(name: str) -> bytes:
    return _text(0x2A, name)


def _ids(context: SpanContext) -> bytes:
    return b"\x0a\x10" + context.trace_id.to_bytes(16, "big") + b"\x12\x08" + context.span_id.to_bytes(8, "big")


def _trace_state(context: SpanContext) -> bytes:
    state = context.trace_state
    return _text(0x1A, ",".join(f"{key}={value}" for key, value in state.items())) if state else b""


def _flags(context: SpanContext | None) -> bytes:
    return _REMOTE if context is not None and context.is_remote else _LOCAL


def _attributes(tag: int, attributes: Mapping[str, Any] | None) -> bytes:
    """Encode attributes; one that has no form in OTLP is left out, as the stock encoder does.

    Floats are not remembered: 0.0 and -0.0 are equal, and their bytes are not.
    """
    if not attributes:
        return b""
    found = []
    for key, value in attributes.items():
        try:
            remembered = len(value) <= _SHORT if isinstance(value, str) else isinstance(value, int)
            found.append((_remembered if remembered else _attribute)(tag, key, value))
        except (TypeError, ValueError, OverflowError, struct.error):
            continue
    return b"".join(found)


def _attribute(tag: int, key: str, value: object) -> bytes:
    return _part(tag, _text(0x0A, key) + _part(0x12, _value(value)))


_remembered = lru_cache(_REMEMBERED, typed=True)(_attribute)


def _value(value: Any) -> bytes:  # noqa: ANN401, PLR0911 - a case each
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, str):
        return _part(0x0A, value.encode())
    if isinstance(value, int):
        return b"\x18" + _varint(_as_unsigned(value))
    if isinstance(value, float):
        return b"\x21" + _double(value)
    if isinstance(value, bytes):
        return _part(0x3A, value)
    if isinstance(value, Sequence):
        return _part(0x2A, b"".join(_part(0x0A, _value(item)) for item in value))
    if isinstance(value, Mapping):
        return _part(0x32, b"".join(_attribute(0x0A, str(key), item) for key, item in value.items()))
    raise TypeError(f"an attribute's value is text, number, truth or a list of them (got {type(value).__name__})")


def _as_unsigned(value: int) -> int:
    """Return the 64 bits of a number; raises `OverflowError` for one that has more."""
    return int.from_bytes(value.to_bytes(8, "little", signed=True), "little")


@lru_cache(_REMEMBERED)
def _varint(number: int) -> bytes:
    if number <= _LAST_OF_ONE_BYTE:
        return _ONE_BYTE[number]
    found = bytearray()
    while number > _LAST_OF_ONE_BYTE:
        found.append(number & _LAST_OF_ONE_BYTE | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _part(tag: int, content: bytes) -> bytes:
    return _ONE_BYTE[tag] + _varint(len(content)) + content


def _text(tag: int, text: str | None) -> bytes:
    return _part(tag, text.encode()) if text else b""


def _count(tag: int, number: int) -> bytes:
    return _ONE_BYTE[tag] + _varint(number) if number else b""


_BARE_STATUS = [_part(0x7A, _count(0x18, code.value)) for code in StatusCode]
"""Those without a description, by their code."""
