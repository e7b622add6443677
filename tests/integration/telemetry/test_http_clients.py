"""Calls over real HTTP: one span and one count each, true status, nothing that identifies, no header to strangers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest
import requests
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

import telemetry
from telemetry.settings import Settings
from tests.conftest import Recorded, http_server, record

TOKEN = "123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc"  # noqa: S105 - invented


class Provider(BaseHTTPRequestHandler):
    """Answers with the status that the path ends in, and says how much of its limit is left."""

    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append({key.lower(): value for key, value in self.headers.items()})
        status = urlsplit(self.path).path.rpartition("/")[2]
        self.send_response(int(status) if status.isdigit() else 200)
        self.send_header("x-ratelimit-limit-requests", "100")
        self.send_header("x-ratelimit-remaining-requests", "25")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def provider() -> Iterator[str]:
    Provider.seen = []
    with http_server(Provider) as address:
        yield address


@pytest.fixture
def recorded(provider: str) -> Iterator[Recorded]:
    for recording in record(Settings(external_services={provider: "openai"})):
        with telemetry.instrument_httpx(), telemetry.instrument_requests():
            yield recording


async def with_httpx_async(url: str) -> None:
    async with httpx.AsyncClient() as client:
        await client.get(url)


async def with_httpx2_async(url: str) -> None:
    async with httpx2.AsyncClient() as client:
        await client.get(url)


async def with_httpx(url: str) -> None:
    with httpx.Client() as client:
        client.get(url)  # noqa: ASYNC212 - the sync client is what is tried


async def with_httpx2(url: str) -> None:
    with httpx2.Client() as client:
        client.get(url)


async def with_requests(url: str) -> None:
    with requests.Session() as session:
        session.get(url, timeout=5)


CLIENTS = [with_httpx, with_httpx_async, with_httpx2, with_httpx2_async, with_requests]
each_client = pytest.mark.parametrize("get", CLIENTS, ids=[client.__name__ for client in CLIENTS])
Get = Callable[[str], object]


def only_span(recorded: Recorded) -> ReadableSpan:
    (span,) = recorded.spans
    return span


@each_client
@pytest.mark.parametrize(("status", "outcome"), [(200, "success"), (404, "error"), (429, "error"), (503, "error")])
async def test_a_call_is_one_span_and_one_count(
    recorded: Recorded, provider: str, get: Get, status: int, outcome: str
) -> None:
    await get(f"http://{provider}/v1/{status}?api_key=secret")  # type: ignore[misc]
    span, metrics = only_span(recorded), recorded.metrics()
    assert (span.name, span.kind) == ("GET openai", SpanKind.CLIENT)
    assert dict(span.attributes or {})["url.full"] == f"http://{provider}/v1/{status}"
    assert (span.status.status_code is StatusCode.ERROR) == (outcome == "error")
    assert metrics["external.api.calls"] == {("openai", outcome): 1}
    assert metrics["external.api.duration"] == {("openai",): 1}
    assert metrics["external.api.rate.limit.remaining.ratio"] == {("openai",): 0.25}


@each_client
async def test_a_call_that_gets_no_answer_is_an_error_and_raises_as_before(recorded: Recorded, get: Get) -> None:
    with pytest.raises((httpx.ConnectError, httpx2.ConnectError, requests.ConnectionError)):
        await get("http://127.0.0.1:9/")  # type: ignore[misc]
    assert recorded.metrics()["external.api.calls"] == {("other", "error"): 1}
    assert only_span(recorded).status.status_code is StatusCode.ERROR


@each_client
@pytest.mark.parametrize("token", [TOKEN, TOKEN.replace(":", "%3A")], ids=["plain", "encoded"])
async def test_a_bot_api_call_leaves_nothing(recorded: Recorded, provider: str, get: Get, token: str) -> None:
    await get(f"http://{provider}/file/bot{token}/photo.jpg")  # type: ignore[misc]
    assert recorded.spans == []
    assert "external.api.calls" not in recorded.metrics()


@each_client
async def test_no_header_of_ours_goes_to_a_host_that_is_not_named(recorded: Recorded, provider: str, get: Get) -> None:
    with telemetry.get_tracer().start_as_current_span("turn"):
        await get(f"http://{provider}/200")  # type: ignore[misc]
    assert not {"traceparent", "tracestate", "baggage", "sentry-trace"} & set(Provider.seen[0])


@each_client
async def test_a_named_host_gets_the_span_that_called_it(provider: str, get: Get) -> None:
    for recorded in record(Settings(propagate_to=frozenset({provider}))):
        with telemetry.instrument_httpx(), telemetry.instrument_requests():
            await get(f"http://{provider}/200")  # type: ignore[misc]
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
        await get(f"http://{provider}/200")  # type: ignore[misc]
        assert recorded.spans == []
