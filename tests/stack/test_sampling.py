"""A tenth of the requests is recorded, all of them are counted, every failed one can be opened; no client changes that.

SAMPLING_REQUESTS=20000 asks for more than the short form's 2,000.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

import httpx
import pytest

from stack.ports import free_ports
from stack.settings import ROOT
from telemetry.backends import Trace
from tests.stack.conftest import Pipeline
from tests.stack.test_killed import wait_for

REQUESTS = int(os.environ.get("SAMPLING_REQUESTS", "2000"))
RATE = 0.1
STANDARD_DEVIATIONS = 3.89
"""The share of 9,999 runs in 10,000 is within so many."""
PATHS = (*["/plain", "/claimed"] * 9, "/plain", "/failing")
FORCED = {"traceparent": f"00-{'a' * 16}{'0' * 15}1-{'b' * 16}-01", "tracestate": "x=1", "baggage": "a=b"}
"""What a client sends that wants to be recorded: the flag, and a trace id below every ratio's bound."""
HEADERS = {"/claimed": FORCED, "/failing": {"Connection": "close"}}
"""The server closes a connection after an exception; who says so first sends nothing into it."""


@dataclass
class Run:
    """What was sent, and where it can be found."""

    instance: str
    sent: Counter[str]
    pipeline: Pipeline

    def traces(self) -> list[Trace]:
        tags = {"service.instance.id": self.instance}
        return self.pipeline.jaeger.search("health-agent", tags=tags, limit=REQUESTS)

    def counted(self, endpoint: str) -> float | None:
        selector = f'instance="{self.instance}",endpoint="{endpoint}"'
        return self.pipeline.prometheus.scalar(f"sum(http_requests_total{{{selector}}})")


@pytest.fixture(scope="module")
def run(pipeline: Pipeline) -> Run:
    instance, port = f"sampling-{uuid.uuid4()}", free_ports(["WEB_PORT"])["WEB_PORT"]
    environ = pipeline.stack.environment | pipeline.environ | {
        "OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={instance}",
        "SENTRY_TRACES_SAMPLE_RATE": str(RATE),
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "tests.stack.web_process", port], cwd=ROOT, env=environ)
    try:
        sent = asyncio.run(send(f"http://127.0.0.1:{port}"))
    finally:
        process.terminate()
        assert process.wait(20) in (0, -15)
    found = Run(instance, sent, pipeline)
    wait_for(lambda: found.counted("/failing") == sent["/failing"])
    return found


async def send(url: str) -> Counter[str]:
    """Send all requests, twenty at once; the claimed ones as a client that wants to be recorded."""
    paths = list(islice(cycle(PATHS), REQUESTS))
    waiting = iter(paths)
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        await until_it_answers(client)

        async def worker() -> None:
            for path in waiting:
                await client.get(path, headers=HEADERS.get(path, {}))

        await asyncio.gather(*(worker() for _ in range(20)))
    return Counter(paths)


async def until_it_answers(client: httpx.AsyncClient) -> None:
    for _ in range(200):
        try:
            await client.get("/nothing-there")
        except httpx.ConnectError:
            await asyncio.sleep(0.1)
        else:
            return
    raise TimeoutError


@pytest.mark.parametrize("path", ["/plain", "/claimed"])
def test_a_tenth_is_recorded_whatever_the_client_claims(
    run: Run, path: str, record_property: Callable[[str, object], None]
) -> None:
    count = run.sent[path]
    found = sum(trace.roots()[0].name == f"GET {path}" for trace in run.traces())
    record_property(f"recorded of {count}", found)
    spread = STANDARD_DEVIATIONS * (count * RATE * (1 - RATE)) ** 0.5
    assert abs(found - count * RATE) <= spread, f"{found} of {count}"


def test_every_failed_request_has_its_root_span(run: Run) -> None:
    roots = [trace.roots()[0] for trace in run.traces()]
    failed = [root for root in roots if root.name == "GET /failing"]
    assert len(failed) == run.sent["/failing"]
    assert all(root.error for root in failed)
    assert all(root.attributes["sentry.event_id"] for root in failed)


def test_every_request_is_counted(run: Run) -> None:
    assert {path: run.counted(path) for path in run.sent} == run.sent


def test_no_trace_is_one_that_a_client_chose(run: Run) -> None:
    assert not [trace for trace in run.traces() if trace.trace_id.startswith("a" * 16)]
