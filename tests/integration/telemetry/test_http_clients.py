"""Calls over real HTTP: one span and one count each, true status, nothing that identifies, no header to strangers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import httpx2
import pytest
import requests
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import telemetry
from telemetry.settings import Settings
from tests.conftest import Recorded, record
from tests.integration.telemetry.clients import Get, Provider, each_client

TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"  # noqa: S105 - invented


@pytest.fixture
def recorded(provider: str) -> Iterator[Recorded]:
    for recording in record(Settings(external_services={provider: "openai"})):
        with telemetry.instrument_httpx(), telemetry.instrument_requests():
            yield recording


def only_span(recorded: Recorded) -> ReadableSpan:
    (span,) = recorded.spans
    return span


@each_client
@pytest.mark.parametrize(("status", "outcome"), [(200, "success"), (404, "error"), (429, "error"), (503, "error")])
async def test_a_call_is_one_span_and_one_count(
    recorded: Recorded, provider: str, get: Get, status: int, outcome: str
) -> None:
    await get(f"http://{provider}/v1/{status}?api_key=secret")
    span, metrics = only_span(recorded), recorded.metrics()
    assert (span.name, span.kind) == ("GET openai", SpanKind.CLIENT)
    assert dict(span.attributes or {})["url.full"] == f"http://{provider}/v1/*"
    assert (span.status.status_code is StatusCode.ERROR) == (outcome == "error")
    assert metrics["external.api.calls"] == {("openai", outcome): 1}
    assert metrics["external.api.duration"] == {("openai",): 1}
    assert metrics["external.api.rate.limit.remaining.ratio"] == {("openai",): 0.25}


@each_client
async def test_a_call_that_gets_no_answer_is_an_error_and_raises_as_before(recorded: Recorded, get: Get) -> None:
    with pytest.raises((httpx.ConnectError, httpx2.ConnectError, requests.ConnectionError)):
        await get("http://127.0.0.1:9/")
    assert recorded.metrics()["external.api.calls"] == {("other", "error"): 1}
    assert only_span(recorded).status.status_code is StatusCode.ERROR


@each_client
@pytest.mark.parametrize("token", [TOKEN, TOKEN.replace(":", "%3A")], ids=["plain", "encoded"])
async def test_a_bot_api_call_leaves_nothing(recorded: Recorded, provider: str, get: Get, token: str) -> None:
    await get(f"http://{provider}/file/bot{token}/photo.jpg")
    assert recorded.spans == []
    assert "external.api.calls" not in recorded.metrics()


@each_client
async def test_no_header_of_ours_goes_to_a_host_that_is_not_named(recorded: Recorded, provider: str, get: Get) -> None:
    with telemetry.get_tracer().start_as_current_span("turn"):
        await get(f"http://{provider}/200")
    assert not {"traceparent", "tracestate", "baggage", "sentry-trace"} & set(Provider.seen[0])


@each_client
async def test_a_named_host_gets_the_span_that_called_it(provider: str, get: Get) -> None:
    for recorded in record(Settings(propagate_to=frozenset({provider}))):
        with telemetry.instrument_httpx(), telemetry.instrument_requests():
            await get(f"http://{provider}/200")
        context = only_span(recorded).context
        assert context is not None
        assert (
            Provider.seen[0]["traceparent"]
            == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )


@each_client
async def test_closed_it_records_nothing(provider: str, get: Get) -> None:
    for recorded in record(Settings()):
        for handle in (telemetry.instrument_httpx(), telemetry.instrument_requests()):
            handle.close()
            handle.close()
        await get(f"http://{provider}/200")
        assert recorded.spans == []
