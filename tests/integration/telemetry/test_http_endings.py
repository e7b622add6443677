"""However a call goes - repeated, redirected, broken off, cancelled - each request on the wire is counted once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

import telemetry
from telemetry.settings import Settings
from tests.conftest import Recorded, record
from tests.integration.telemetry.clients import Get, Provider, each_client, with_httpx2_async, with_httpx_async

UNREACHABLE = "http://127.0.0.1:9/"


@pytest.fixture
def recorded(provider: str) -> Iterator[Recorded]:
    settings = Settings(external_services={provider: "openai"}, url_query_keys=frozenset({"page", "api_key"}))
    for recording in record(settings):
        with telemetry.instrument_httpx(), telemetry.instrument_requests():
            yield recording


def calls(recorded: Recorded) -> dict[tuple[str, ...], float]:
    assert len(recorded.spans) == sum(recorded.metrics()["external.api.calls"].values())
    return recorded.metrics()["external.api.calls"]


def retrying(url: str, retry: Retry) -> requests.Response:
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retry))
        return session.get(url, timeout=1)


def test_each_attempt_of_a_retry_is_a_call_and_says_which(recorded: Recorded, provider: str) -> None:
    response = retrying(f"http://{provider}/recovers", Retry(total=5, status_forcelist=[503]))
    assert response.status_code == 200
    assert calls(recorded) == {("openai", "error"): 2, ("openai", "success"): 1}
    resent = [dict(span.attributes or {}).get("http.request.resend_count") for span in recorded.spans]
    assert resent == [None, 1, 2]


EXHAUSTED = {
    "refused connections": (UNREACHABLE, Retry(connect=2), "other"),
    "bad answers": ("http://{provider}/503", Retry(total=2, status_forcelist=[503]), "openai"),
}


@pytest.mark.parametrize(("url", "retry", "service"), EXHAUSTED.values(), ids=EXHAUSTED.keys())
def test_retries_that_run_out_count_each_attempt_and_raise_as_before(
    recorded: Recorded, provider: str, url: str, retry: Retry, service: str
) -> None:
    with pytest.raises(requests.RequestException, match="Max retries exceeded"):
        retrying(url.format(provider=provider), retry)
    assert calls(recorded) == {(service, "error"): 3}


def test_a_request_that_finds_no_way_out_is_one_failed_call(recorded: Recorded, provider: str) -> None:
    with pytest.raises(requests.exceptions.ProxyError):
        requests.get(f"https://{provider}/", proxies={"https": UNREACHABLE}, timeout=1)
    assert calls(recorded) == {("openai", "error"): 1}


@each_client
async def test_each_hop_of_a_redirect_is_a_call(recorded: Recorded, provider: str, get: Get) -> None:
    await get(f"http://{provider}/redirect?to=/200")
    assert calls(recorded) == {("openai", "success"): 2}


@each_client
async def test_a_time_out_is_an_error(recorded: Recorded, provider: str, get: Get) -> None:
    with pytest.raises((httpx.ReadTimeout, httpx2.ReadTimeout, requests.ReadTimeout)):
        await get(f"http://{provider}/slow")
    assert calls(recorded) == {("openai", "error"): 1}


@pytest.mark.parametrize("get", [with_httpx_async, with_httpx2_async])
async def test_a_cancelled_call_is_neither_a_success_nor_an_error(recorded: Recorded, provider: str, get: Get) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(get(f"http://{provider}/slow"), 0.1)
    assert calls(recorded) == {("openai", "cancelled"): 1}
    assert recorded.spans[0].status.is_unset


@each_client
async def test_a_body_that_breaks_off_raises_as_before_after_a_call_that_was_answered(
    recorded: Recorded, provider: str, get: Get
) -> None:
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx2.HTTPError, requests.RequestException)):
        await get(f"http://{provider}/broken")
    assert calls(recorded) == {("openai", "success"): 1}


QUERIES = {
    "nothing": ("", ""),
    "a key that is kept": ("?page=2", "?page=2"),
    "one that is not": ("?q=diabetes", ""),
    "both, and a fragment": ("?q=diabetes&page=2#top", "?page=2"),
    "a secret under a kept key": ("?page=sk-proj-abcdefghijklmnopqrstuvwx", "?page=[redacted]"),
    "a kept key that names a secret": ("?api_key=abc", ""),
}


@pytest.mark.parametrize(("query", "kept"), QUERIES.values(), ids=QUERIES.keys())
@each_client
async def test_of_a_query_string_only_the_named_keys_are_recorded(
    recorded: Recorded, provider: str, get: Get, query: str, kept: str
) -> None:
    await get(f"http://{provider}/200{query}")
    assert dict(recorded.spans[0].attributes or {})["url.full"] == f"http://{provider}/*{kept}"


class Logging(httpx.BaseTransport):
    """A transport of the application's own around one of httpx's."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)


TRANSPORTS: dict[str, tuple[Any, int]] = {
    "one that calls nobody": (httpx.MockTransport(lambda _: httpx.Response(200)), 0),
    "one around httpx's": (Logging(), 1),
}


@pytest.mark.parametrize(("transport", "spans"), TRANSPORTS.values(), ids=TRANSPORTS.keys())
def test_a_transport_of_the_applications_own_is_seen_where_it_uses_httpxs(
    recorded: Recorded, provider: str, transport: httpx.BaseTransport, spans: int
) -> None:
    with httpx.Client(transport=transport) as client:
        client.get(f"http://{provider}/200")
    assert len(recorded.spans) == spans


def test_others_that_use_urllib3_are_left_alone(recorded: Recorded, provider: str) -> None:
    import urllib3  # noqa: PLC0415 - as an application beside requests would

    urllib3.request("GET", f"http://{provider}/200", headers={"baggage": "a=b"})
    assert recorded.spans == []
    assert Provider.seen[0]["baggage"] == "a=b"
