"""OTLP in, file out: what the Collector's configuration makes of known spans and metrics, to the letter.

The real program with the real file; only addresses are the test's. After a change that is meant: `make snapshot`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import text_format  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Exemplar,
    Histogram,
    NumberDataPoint,
    ScopeMetrics,
)

from bench.faults.servers import COLLECTOR, PROMETHEUS, Place, servers
from tests.otlp import Receiver, receiving
from tests.stack.stack_helpers import eventually

INPUT = Path(__file__).parents[1] / "data" / "collector_in.textproto"
OUTPUT = Path(__file__).parents[1] / "data" / "collector_out.txt"
VARIANTS = {
    "one trace store, as natively": "[otlp_http/jaeger]",
    "two trace stores, as with Docker": "[otlp_http/jaeger, otlp_http/tempo]",
}
TRACE_ID, SPAN_ID = bytes(range(16)), bytes(range(8))


def spans() -> ExportTraceServiceRequest:
    """The file's, with a text of 70,000 letters."""
    text = INPUT.read_text(encoding="utf-8").replace("LONG", "x" * 70_000)
    message = ExportTraceServiceRequest()
    text_format.Parse(text, message)
    return message


def metrics() -> ExportMetricsServiceRequest:
    """One metric of each kind, of now: Prometheus takes no old ones."""
    now = time.time_ns()
    message = ExportMetricsServiceRequest()
    described = message.resource_metrics.add()
    described.resource.CopyFrom(spans().resource_spans[0].resource)
    scope = described.scope_metrics.add()
    scope.scope.name = "config-test"
    for name, unit in (("http.requests", "{request}"), ("errors", "{error}")):
        metric = _sum(scope, name, unit, monotonic=True)
        _point(metric.data_points.add(as_int=3), now, label="ann@example.com")
    _point(_sum(scope, "db.connections.active", "{connection}", monotonic=False).data_points.add(as_int=4), now)
    _point(scope.metrics.add(name="db.size", unit="By").gauge.data_points.add(as_double=5.5), now)
    _histogram(scope.metrics.add(name="http.request.duration", unit="s").histogram, now)
    return message


def _sum(scope: ScopeMetrics, name: str, unit: str, *, monotonic: bool) -> Any:
    metric = scope.metrics.add(name=name, unit=unit)
    metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    metric.sum.is_monotonic = monotonic
    return metric.sum


def _point(point: NumberDataPoint, now: int, label: str = "plain") -> None:
    point.start_time_unix_nano, point.time_unix_nano = now - 1_000_000_000, now
    point.attributes.add(key="label").value.string_value = label


def _histogram(histogram: Histogram, now: int) -> None:
    histogram.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    point = histogram.data_points.add(count=3, sum=0.7, bucket_counts=[2, 1, 0], explicit_bounds=[0.1, 0.5])
    point.start_time_unix_nano, point.time_unix_nano = now - 1_000_000_000, now
    point.exemplars.append(Exemplar(time_unix_nano=now, as_double=0.05, trace_id=TRACE_ID, span_id=SPAN_ID))


def send(place: Place, path: str, message: Any) -> None:
    headers = {"content-type": "application/x-protobuf"}
    url = place.url("OTLP_HTTP_PORT") + path
    httpx.post(url, content=message.SerializeToString(), headers=headers, trust_env=False).raise_for_status()


class Stores:
    """Where the Collector under test sends."""

    def __init__(self, exporters: str, folder: Path, ends: ExitStack) -> None:
        self.jaeger: Receiver = ends.enter_context(receiving())
        self.tempo: Receiver = ends.enter_context(receiving())
        self.place = Place(
            folder,
            {
                "JAEGER_OTLP_ENDPOINT": self.jaeger.url,
                "TEMPO_OTLP_ENDPOINT": self.tempo.url,
                "TRACE_EXPORTERS": exporters,
            },
        )
        for name, server in servers(self.place).items():
            if name in (COLLECTOR, PROMETHEUS):
                ends.callback(server.stop)
                server.start()

    def prometheus(self, path: str, **params: str) -> Any:
        answer = httpx.get(f"{self.place.url('PROMETHEUS_PORT')}/api/v1/{path}", params=params, trust_env=False)
        return answer.raise_for_status().json()["data"]


@pytest.fixture(scope="module", params=list(VARIANTS.values()), ids=list(VARIANTS))
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    with ExitStack() as ends:
        found = Stores(request.param, tmp_path_factory.mktemp("config"), ends)
        send(found.place, "/v1/traces", spans())
        send(found.place, "/v1/metrics", metrics())
        yield found


def spans_text(receiver: Receiver) -> str:
    (request,) = eventually(lambda: receiver.requests)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                _shorten(span)
    return str(request)


def _shorten(span: Any) -> None:
    """Write of a text of thousands of letters only how many there are."""
    for attribute in span.attributes:
        if len(attribute.value.string_value) > 1000:
            attribute.value.string_value = f"{len(attribute.value.string_value)} letters"


def series_text(stores: Stores) -> str:
    """Each series of the test's process as Prometheus has it, with its exemplars."""
    selector = '{job="config-test"}'
    found = eventually(lambda: stores.prometheus("query", query=selector)["result"])
    lines = [f"{_labels(series['metric'])} {series['value'][1]}" for series in found]
    now = str(time.time() + 60)
    for series in stores.prometheus("query_exemplars", query=selector, start="0", end=now):
        lines += [f"{_labels(series['seriesLabels'])} # {_labels(each['labels'])}" for each in series["exemplars"]]
    return "\n".join(sorted(lines))


def _labels(labels: dict[str, str]) -> str:
    name = labels.get("__name__", "")
    return name + "{" + ", ".join(f'{key}="{labels[key]}"' for key in sorted(labels) if key != "__name__") + "}"


def test_what_comes_out_is_what_the_file_says(stores: Stores) -> None:
    written = f"# spans\n{spans_text(stores.jaeger)}\n# series\n{series_text(stores)}\n"
    if os.environ.get("WRITE_SNAPSHOT"):
        OUTPUT.write_text(written, encoding="utf-8")
    assert written == OUTPUT.read_text(encoding="utf-8"), "meant so? make snapshot"


def test_each_trace_store_gets_the_same_or_nothing(stores: Stores, request: pytest.FixtureRequest) -> None:
    if "tempo" in stores.place.extra["TRACE_EXPORTERS"]:
        assert spans_text(stores.tempo) == spans_text(stores.jaeger)
    else:
        assert stores.tempo.requests == []


@pytest.mark.parametrize("planted", ["ann@example.com", "Bearer abc", "123456789:AAH"])
def test_no_planted_secret_comes_out_in_an_attribute(stores: Stores, planted: str) -> None:
    out = OUTPUT.read_text(encoding="utf-8")
    assert planted in INPUT.read_text(encoding="utf-8")
    assert planted not in out
