"""Senders whose every item is numbered, and the ledger of what the Collector acknowledged.

A request that is refused or gets no answer is sent again, the same to the byte, as a sender with a queue would.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

__all__ = ["METRIC", "SERVICE", "Ledger", "Load", "MetricSender", "Sender", "SpanSender"]

SERVICE, METRIC = "faults", "faults.items"
_REFUSED_FOR_GOOD = frozenset({400, 413})
_AGAIN_SECONDS = 0.2


@dataclass
class Ledger:
    """What was acknowledged: spans by trace, sample values by series and time in milliseconds."""

    spans: dict[str, set[str]] = field(default_factory=dict)
    samples: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    refusals: dict[int, int] = field(default_factory=dict)
    """How often the Collector answered which status but 200; 0 is no answer."""
    refused_for_good: int = 0
    """Items that the Collector will never take."""
    unsure: int = 0
    """Items that were still being sent when the sender was stopped: stored or not."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def span_count(self) -> int:
        """Acknowledged spans."""
        return sum(map(len, self.spans.values()))

    @property
    def sample_count(self) -> int:
        """Acknowledged samples."""
        return sum(map(len, self.samples.values()))


@dataclass(frozen=True)
class Load:
    """How much one sender sends."""

    items: int = 20
    """In one request."""
    pause_seconds: float = 0.05
    filler_bytes: int = 0
    """More bytes in each span."""
    attributes: int = 0
    """More attributes of each item, of some twenty letters."""


class Sender(threading.Thread):
    """Sends requests one after the other until it is stopped."""

    path = ""

    def __init__(self, endpoint: str, ledger: Ledger, name: str, load: Load) -> None:
        """Send to the Collector at `endpoint`."""
        super().__init__(name=name, daemon=True)
        self.load = load
        self.shift_seconds = 0.0
        """How far this sender's clock is off."""
        self.sequence = 0
        self._endpoint, self._ledger = endpoint, ledger
        self._stopping = threading.Event()

    def run(self) -> None:
        """Send."""
        with httpx.Client(base_url=self._endpoint, trust_env=False, timeout=30) as client:
            while not self._stopping.is_set():
                self.sequence += 1
                body, acknowledged, items = self.request()
                self._deliver(client, body, acknowledged, items)
                self._stopping.wait(self.load.pause_seconds)

    def stop(self) -> None:
        """Finish what is being sent, for 30 s at most."""
        self._stopping.set()
        self.join(40)

    def request(self) -> tuple[bytes, Callable[[], None], int]:
        """Return the next request, what to note when it is acknowledged, and the number of its items."""
        raise NotImplementedError

    def more_attributes(self) -> list[KeyValue]:
        """Return the attributes that each item has beside its number."""
        return [
            _text(f"faults.attribute.{number}", f"some value, number {number}")
            for number in range(self.load.attributes)
        ]

    def now(self) -> int:
        """Nanoseconds on this sender's clock, in whole milliseconds."""
        return int((time.time() + self.shift_seconds) * 1000) * 1_000_000

    def _deliver(self, client: httpx.Client, body: bytes, acknowledged: Callable[[], None], items: int) -> None:
        deadline = time.monotonic() + 30
        while not (self._stopping.is_set() and time.monotonic() > deadline):
            status = self._post(client, body)
            with self._ledger.lock:
                if status == HTTPStatus.OK:
                    acknowledged()
                    return
                self._ledger.refusals[status] = self._ledger.refusals.get(status, 0) + 1
                if status in _REFUSED_FOR_GOOD:
                    self._ledger.refused_for_good += items
                    return
            time.sleep(_AGAIN_SECONDS)
        self._ledger.unsure += items

    def _post(self, client: httpx.Client, body: bytes) -> int:
        try:
            answer = client.post(self.path, content=body, headers={"content-type": "application/x-protobuf"})
        except httpx.HTTPError:
            return 0
        return answer.status_code


class SpanSender(Sender):
    """Sends one trace a request."""

    path = "/v1/traces"

    def request(self) -> tuple[bytes, Callable[[], None], int]:
        """Make a trace of numbered spans."""
        message, trace_id, now = ExportTraceServiceRequest(), os.urandom(16), self.now()
        resource = message.resource_spans.add()
        _describe(resource.resource, self.name)
        scope = resource.scope_spans.add()
        filler = "x" * self.load.filler_bytes
        for number in range(self.load.items):
            span = scope.spans.add(trace_id=trace_id, span_id=os.urandom(8), name="faults.item", kind=1)
            span.start_time_unix_nano, span.end_time_unix_nano = now, now + 1_000_000
            span.attributes.append(_text("faults.number", str(self.sequence * self.load.items + number)))
            span.attributes.extend(self.more_attributes())
            if filler:
                span.attributes.append(_text("faults.filler", filler))
        ids = {span.span_id.hex() for span in scope.spans}
        return message.SerializeToString(), lambda: self._ledger.spans.update({trace_id.hex(): ids}), len(ids)


class MetricSender(Sender):
    """Sends counters of this sender's own, all at their next value, one series an item."""

    path = "/v1/metrics"
    value_of: Callable[[int], float] = float
    """The value of a counter in the request of this number."""

    def __init__(self, endpoint: str, ledger: Ledger, name: str, load: Load) -> None:
        """Send to the Collector at `endpoint`."""
        super().__init__(endpoint, ledger, name, load)
        self._began = self.now()

    def request(self) -> tuple[bytes, Callable[[], None], int]:
        """Make one point of every counter."""
        message, now, value = ExportMetricsServiceRequest(), self.now(), self.value_of(self.sequence)
        resource = message.resource_metrics.add()
        _describe(resource.resource, self.name)
        metric = resource.scope_metrics.add().metrics.add(name=METRIC, unit="{item}")
        metric.sum.is_monotonic = True
        metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        for number in range(self.load.items):
            point = metric.sum.data_points.add(start_time_unix_nano=self._began, time_unix_nano=now, as_double=value)
            point.attributes.append(_text("series", str(number)))
            point.attributes.extend(self.more_attributes())
        return message.SerializeToString(), lambda: self._note(now // 1_000_000, value), self.load.items

    def _note(self, millis: int, value: float) -> None:
        for number in range(self.load.items):
            self._ledger.samples.setdefault((self.name, str(number)), {})[millis] = value


def _describe(resource: Resource, instance: str) -> None:
    resource.attributes.append(_text("service.name", SERVICE))
    resource.attributes.append(_text("service.instance.id", instance))


def _text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
