"""A receiver of OTLP over HTTP that keeps what it takes and answers as a test wants."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import http_server

MESSAGES: dict[str, Any] = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


@dataclass
class Receiver:
    """`answer` makes an export's status of the names of its spans or metrics."""

    url: str = ""
    answer: Callable[[list[str]], int] = lambda _: 200
    spans: list[Any] = field(default_factory=list)
    metrics: list[Any] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """The names of the spans of each export, whatever it was answered."""
    requests: list[Any] = field(default_factory=list)
    """Each export that was taken, as it came."""

    @property
    def took(self) -> list[str]:
        """The names of the spans that were taken."""
        return [span.name for span in self.spans]

    def receive(self, path: str, body: bytes) -> int:
        request = MESSAGES[path].FromString(body)
        found = items(request)
        names = [item.name for item in found]
        status = self.answer(names)
        if path == "/v1/traces":
            self.seen += names
        if status == 200:
            self.requests.append(request)
            (self.spans if path == "/v1/traces" else self.metrics).extend(found)
        return status


def items(request: Any) -> list[Any]:
    """The spans, or the metrics, of an export."""
    if isinstance(request, ExportTraceServiceRequest):
        return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
    return [
        metric for resource in request.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive on a free loopback port until the block is left."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            body = gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body
            self.send_response(receiver.receive(self.path, body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http_server(Handler) as address:
        receiver.url = f"http://{address}"
        yield receiver
