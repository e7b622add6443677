"""Whoever may send to the Collector: it survives, its memory and its work stay bounded, it still serves the others.

HOSTILE_VALUES=1000000 sends as many different values, the short form 120,000.
"""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.stack.lone_collector import LoneCollector, lone_collector
from tests.stack.stack_helpers import eventually
from tests.stack.test_redaction import attributes, metric, trace

MEMORY_BYTES = 600_000_000
"""Below the container's limit (compose.yaml) with what is mapped beside the heap of 400 MiB."""
BODY_BYTES = 4 * 1024 * 1024
"""What the receiver takes of one request, as it arrives and after it is unpacked."""
VALUES, VALUES_A_REQUEST = int(os.environ.get("HOSTILE_VALUES", "120000")), 40_000
CPU_SECONDS = 15.0
"""For one request, at most: what the receiver takes is cleaned in less, on a slow machine too."""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneCollector]:
    with lone_collector(tmp_path_factory.mktemp("hostile"), GOMEMLIMIT="450MiB") as running:
        yield running


def nested(depth: int) -> str:
    """A span whose attribute is a list in a list in a list."""
    inner = '{"arrayValue":{"values":[' * depth + '{"stringValue":"x"}' + "]}}" * depth
    body = json.dumps(trace({"name": "deep", "attributes": [{"key": "tag.a", "value": 0}]}, {}, {}))
    return body.replace('"value": 0', f'"value": {inner}')


def many_spans(number: int, first: int = 0) -> bytes:
    """Spans whose names and values are all different."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for index in range(first, first + number):
        span = spans.add(
            name=f"span {index}", trace_id=index.to_bytes(16, "big"), span_id=(index + 1).to_bytes(8, "big")
        )
        span.attributes.add(key="tag.a").value.string_value = f"value {index}"
    return bytes(request.SerializeToString())


def posted(collector: LoneCollector, content: bytes, **headers: str) -> int:
    kind = {"content-type": "application/json"} | headers
    url = f"{collector.otlp}/v1/traces"
    return httpx.post(url, content=content, headers=kind, trust_env=False, timeout=60).status_code


def far_off(collector: LoneCollector) -> int:
    for at in ("0", "1", "9223372036854775807"):
        span = {"name": "then", "startTimeUnixNano": at, "endTimeUnixNano": "1"}
        collector.send("traces", trace(span, {}, {}))
    return collector.send("metrics", metric({"endpoint": "/"}, {})).status_code


def ever_new_values(collector: LoneCollector) -> int:
    requests = range(0, VALUES, VALUES_A_REQUEST)
    return [collector.send("traces", many_spans(VALUES_A_REQUEST, start)).status_code for start in requests][-1]


def one(span: dict[str, Any]) -> Attack:
    return lambda collector: collector.send("traces", trace({"name": "n"} | span, {}, {})).status_code


def raw(content: Callable[[], bytes], encoding: str = "identity") -> Attack:
    return lambda collector: posted(collector, content(), **{"content-encoding": encoding})


def bomb() -> bytes:
    return b"\0" * 200_000_000


Attack = Callable[[LoneCollector], int]
TURNED_AWAY = {400, 413}
ATTACKS: dict[str, tuple[Attack, set[int]]] = {
    "no OTLP at all": (raw(lambda: b"\xff" * 1000), {400}),
    "JSON that ends early": (raw(lambda: b'{"resourceSpans":[{'), {400}),
    "protobuf that ends early": (lambda c: c.send("traces", many_spans(100)[:-7]).status_code, {400}),
    "a body without end": (raw(lambda: b" " * (BODY_BYTES + 1)), TURNED_AWAY),
    "a gzip bomb": (raw(lambda: gzip.compress(bomb()), "gzip"), TURNED_AWAY),
    "a deflate bomb": (raw(lambda: zlib.compress(bomb()), "deflate"), TURNED_AWAY),
    "a bomb that says it is another": (raw(lambda: gzip.compress(bomb()), "zstd"), TURNED_AWAY),
    "lists 100 deep": (raw(lambda: nested(100).encode()), {200, 400}),
    "lists 100,000 deep": (raw(lambda: nested(100_000).encode()), {200, 400}),
    "a value of 15 MB": (one({"attributes": attributes({"tag.a": "x" * 15_000_000})}), TURNED_AWAY),
    "a value of 4 MB": (one({"attributes": attributes({"tag.a": "x" * 4_000_000})}), {200}),
    "a list of 4 MB": (one({"attributes": attributes({"tag.a": ["x" * 4_000_000]})}), {200}),
    "a name of 4 MB": (one({"name": "x" * 4_000_000}), {200}),
    "4 MB of values": (one({"attributes": attributes({f"tag.{n}": "x" * 4000 for n in range(950)})}), {200}),
    "10,000 keys": (one({"attributes": attributes({f"k{n}": n for n in range(10_000)})}), {200}),
    "ids of a wrong length": (one({"traceId": "12"}), {200, 400}),
    "times far off": (far_off, {200}),
    "ever new values": (ever_new_values, {200, 429, 503}),
}


@pytest.mark.parametrize(("attack", "answers"), ATTACKS.values(), ids=ATTACKS.keys())
def test_the_collector_survives(collector: LoneCollector, attack: Attack, answers: set[int]) -> None:
    process = psutil.Process(collector.process.pid)
    worked, start, status = process.cpu_times().user, time.perf_counter(), attack(collector)
    seconds, worked, memory = time.perf_counter() - start, process.cpu_times().user - worked, process.memory_info().rss
    print(f"answered {status} in {seconds:.1f} s, {worked:.1f} s of work, {memory / 1e6:.0f} MB held")  # noqa: T201
    assert status in answers
    assert memory < MEMORY_BYTES
    assert worked < CPU_SECONDS * (VALUES / VALUES_A_REQUEST if attack is ever_new_values else 1)
    assert collector.process.poll() is None
    eventually(lambda: serves(collector), seconds=60)


def serves(collector: LoneCollector) -> bool:
    """True if a span of somebody else's gets through."""
    collector.sink.received.clear()
    name = f"after {time.time_ns()}"
    if collector.send("traces", trace({"name": name}, {"service.name": "app"}, {})).status_code != 200:
        time.sleep(0.5)
        return False
    found: Any = eventually(lambda: name.encode() in collector.spans_out(), seconds=60)
    return bool(found)
