"""Traces of two services that reach two agents bit by bit: some with an error, some slow, most of them plain."""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ERROR", "PLAIN", "SLOW", "SPANS", "Sent", "Traffic"]

PLAIN, ERROR, SLOW = "plain", "error", "slow"
SPANS = 6
"""Of each trace: five steps, and the root that ends last."""
SLOW_SECONDS, _FAST_SECONDS = 4.0, 0.5
_ATTRIBUTES = [
    KeyValue(key=f"gateway.attribute.{number}", value=AnyValue(string_value=f"some value, number {number}"))
    for number in range(12)
]
_KINDS = (ERROR, SLOW, *[PLAIN] * 8)
_TICK_SECONDS = 0.1
_PARTS_APART_SECONDS = 0.6


@dataclass
class Sent:
    """A trace: what it is, when it began, and the spans that agents acknowledged."""

    kind: str
    phase: str
    span_ids: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Trace:
    trace_id: bytes
    root_id: bytes
    sent: Sent
    seconds: float


@dataclass(order=True)
class _Part:
    """Spans of one trace that one agent gets at one time."""

    due: float
    number: int
    agent: int = field(compare=False)
    trace: _Trace = field(compare=False)
    steps: Sequence[int] = field(compare=False)
    """0 is the root."""


class Traffic(threading.Thread):
    """Begins traces at a rate until it is stopped, and sends their parts as they are due."""

    def __init__(self, agents: Sequence[str], traces_a_second: float) -> None:
        """Send to these OTLP addresses in turn."""
        super().__init__(daemon=True)
        self.phase = ""
        """What traces that begin now are counted under."""
        self.sent: dict[str, Sent] = {}
        self._agents, self._rate = agents, traces_a_second
        self._parts: list[_Part] = []
        self._numbers = itertools.count()
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Send."""
        begun, began = 0, time.monotonic()
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._stopping.is_set() or self._parts:
                now = time.monotonic()
                while not self._stopping.is_set() and begun < (now - began) * self._rate:
                    self._begin(_KINDS[begun % len(_KINDS)])
                    begun += 1
                self._send(client, self._due(now))
                time.sleep(_TICK_SECONDS)

    def stop(self) -> None:
        """Begin no more traces, and send what is left of the others."""
        self._stopping.set()
        self.join(60)

    def run_long(self, seconds: float) -> str:
        """Begin a trace whose root ends after so long, with an error in its last step; its id."""
        trace = self._new(ERROR, "long", seconds)
        for step in range(1, SPANS):
            self._add((step - 1) * seconds / SPANS, step, trace, [step])
        self._add(seconds, 0, trace, [0])
        return trace.trace_id.hex()

    def _begin(self, kind: str) -> None:
        trace = self._new(kind, self.phase, SLOW_SECONDS if kind == SLOW else _FAST_SECONDS)
        first = int.from_bytes(trace.trace_id[:1]) % len(self._agents)
        for number, steps in enumerate(([1, 2], [3, 4, 5], [0])):
            self._add(number * _PARTS_APART_SECONDS, first + number, trace, steps)

    def _new(self, kind: str, phase: str, seconds: float) -> _Trace:
        trace = _Trace(os.urandom(16), os.urandom(8), Sent(kind, phase), seconds)
        self.sent[trace.trace_id.hex()] = trace.sent
        return trace

    def _add(self, in_seconds: float, agent: int, trace: _Trace, steps: Sequence[int]) -> None:
        due, number = time.monotonic() + in_seconds, next(self._numbers)
        with self._lock:
            heapq.heappush(self._parts, _Part(due, number, agent % len(self._agents), trace, steps))

    def _due(self, now: float) -> list[_Part]:
        parts = []
        with self._lock:
            while self._parts and self._parts[0].due <= now:
                parts.append(heapq.heappop(self._parts))
        return parts

    def _send(self, client: httpx.Client, parts: list[_Part]) -> None:
        for agent, url in enumerate(self._agents):
            if mine := [part for part in parts if part.agent == agent]:
                body = _request(f"service-{agent}", mine)
                headers = {"content-type": "application/x-protobuf"}
                client.post(f"{url}/v1/traces", content=body, headers=headers).raise_for_status()


def _request(service: str, parts: list[_Part]) -> bytes:
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.append(KeyValue(key="service.name", value=AnyValue(string_value=service)))
    scope = resource.scope_spans.add()
    for part in parts:
        scope.spans.extend(_span(part.trace, step) for step in part.steps)
    return bytes(message.SerializeToString())


def _span(trace: _Trace, step: int) -> Span:
    now = time.time_ns()
    span_id = os.urandom(8) if step else trace.root_id
    trace.sent.span_ids.add(span_id.hex())
    span = Span(trace_id=trace.trace_id, span_id=span_id, kind=Span.SPAN_KIND_INTERNAL)
    span.name = f"{'step' if step else 'root'} {trace.sent.phase}"
    span.start_time_unix_nano, span.end_time_unix_nano = now - int(trace.seconds * 1e9), now
    span.attributes.extend(_ATTRIBUTES)
    if step:
        span.parent_span_id = trace.root_id
    if trace.sent.kind == ERROR and step == SPANS - 1:
        span.status.code = Status.STATUS_CODE_ERROR
    return span
