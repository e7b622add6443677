"""A trace in OTLP's JSON, as Tempo answers it.

Tempo has ids in Base64, where OTLP's JSON proper has hexadecimal, and calls `batches` what OTLP calls `resourceSpans`;
its second version of the address wraps the same into `trace`.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, https://grafana.com/docs/tempo/latest/api_docs/#query
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from telemetry.stored_traces import Span, Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["trace"]

_ERROR = (2, "STATUS_CODE_ERROR")
_HEX_LENGTHS = (16, 32)


def trace(data: Mapping[str, Any]) -> Trace | None:
    """Read an answer; None where it holds no span."""
    inner = data.get("trace") or data
    spans = [
        _span(span, resource.get("resource") or {})
        for resource in inner.get("resourceSpans") or inner.get("batches") or ()
        for scope in resource.get("scopeSpans") or resource.get("instrumentationLibrarySpans") or ()
        for span in scope.get("spans") or ()
    ]
    return Trace.of(spans[0].trace_id, spans) if spans else None


def _span(data: Mapping[str, Any], resource: Mapping[str, Any]) -> Span:
    attributes = dict(_attributes(resource))
    service = str(attributes.get("service.name", "unknown"))
    status = data.get("status") or {}
    if text := status.get("message"):
        attributes["otel.status_description"] = text
    attributes |= dict(_attributes(data))
    start, end = int(data["startTimeUnixNano"]), int(data.get("endTimeUnixNano") or data["startTimeUnixNano"])
    trace_id = _id(data["traceId"])
    links = (_id(link["traceId"]) for link in data.get("links") or ())
    return Span(
        trace_id,
        _id(data["spanId"]),
        _id(data.get("parentSpanId") or "") or None,
        data.get("name", ""),
        service,
        start / 1e9,
        (end - start) / 1e9,
        attributes,
        tuple(link for link in links if link != trace_id),
        status.get("code") in _ERROR,
        tuple(_exceptions(data)),
    )


def _exceptions(data: Mapping[str, Any]) -> Iterator[str]:
    for event in data.get("events") or ():
        yield from (str(value) for key, value in _attributes(event) if key == "exception.type")


def _attributes(holder: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for pair in holder.get("attributes") or ():
        yield pair["key"], _value(pair.get("value") or {})


def _value(value: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as the store has it
    if "arrayValue" in value:
        return [_value(item) for item in value["arrayValue"].get("values") or ()]
    if "intValue" in value:  # 64 bits are a text in JSON
        return int(value["intValue"])
    return next(iter(value.values()), None)


def _id(text: str) -> str:
    if len(text) in _HEX_LENGTHS:
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except binascii.Error:
        return text
