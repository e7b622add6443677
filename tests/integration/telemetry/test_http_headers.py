"""Who is told of a trace: hosts on the allow-list, and nobody else, whoever has set the headers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

import telemetry
from telemetry.propagation import TRACE_HEADERS
from telemetry.settings import Settings
from tests.conftest import Recorded, clean_environment, http_server, record
from tests.integration.telemetry.clients import CLIENTS, Get, Provider, each_client


@pytest.fixture
def stranger() -> Iterator[str]:
    """Serve at a second address, which is not on the allow-list."""
    with http_server(Provider) as address:
        yield address


@pytest.fixture
def recorded(provider: str) -> Iterator[Recorded]:
    """Let only `provider` be told."""
    for recording in record(Settings(propagate_to=frozenset({provider}))):
        with telemetry.instrument_httpx(), telemetry.instrument_requests():
            yield recording


def told(request: dict[str, str]) -> frozenset[str]:
    return TRACE_HEADERS & request.keys()


@each_client
async def test_a_redirect_to_a_stranger_tells_it_nothing(
    recorded: Recorded, provider: str, stranger: str, get: Get
) -> None:
    with telemetry.get_tracer().start_as_current_span("turn"):
        await get(f"http://{provider}/redirect?to=http://{stranger}/200")
    assert [told(request) for request in Provider.seen] == [{"traceparent"}, set()]


@each_client
async def test_headers_that_the_caller_has_set_do_not_reach_a_stranger(
    recorded: Recorded, stranger: str, get: Get
) -> None:
    headers = {name.title(): "x" for name in TRACE_HEADERS} | {"X-Own": "stays"}
    await get(f"http://{stranger}/200", headers=headers)
    assert told(Provider.seen[0]) == set()
    assert Provider.seen[0]["x-own"] == "stays"


@each_client
async def test_an_address_that_only_begins_like_a_trusted_host_is_a_stranger(
    recorded: Recorded, provider: str, stranger: str, get: Get
) -> None:
    await get(f"http://{provider}@{stranger}/200")
    assert told(Provider.seen[0]) == set()


@each_client
async def test_a_trusted_host_that_is_called_twice_gets_each_calls_own_span(
    recorded: Recorded, provider: str, get: Get
) -> None:
    await get(f"http://{provider}/redirect?to=/200")
    spans = [f"{span.context.span_id:016x}" for span in recorded.spans if span.context]
    assert [request["traceparent"].split("-")[2] for request in Provider.seen] == spans


OTHERS = """
import asyncio, sys
import sentry_sdk, telemetry
from opentelemetry.propagate import inject, set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from tests.integration.telemetry import clients

telemetry.init()
sentry_sdk.init("http://key@127.0.0.1:9/1", traces_sample_rate=1.0)
set_global_textmap(CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]))
telemetry.instrument_requests(); telemetry.instrument_httpx()

async def main():
    with sentry_sdk.start_transaction(name="turn"), telemetry.get_tracer().start_as_current_span("turn"):
        headers = {}
        inject(headers)
        for get in clients.CLIENTS:
            await get(sys.argv[1], headers=headers)
asyncio.run(main())
"""


def test_sentrys_own_integrations_and_a_stock_propagator_tell_a_stranger_nothing(stranger: str) -> None:
    Provider.seen = []
    environment = clean_environment() | {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    program = [sys.executable, "-c", OTHERS, f"http://{stranger}/200"]
    subprocess.run(program, env=environment, check=True, timeout=60)  # noqa: S603
    assert [told(request) for request in Provider.seen] == [set()] * len(CLIENTS)
