"""What goes to Sentry, read from the wire: an application in a process of its own sends to a server that keeps all."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.conftest import clean_environment, http_server

Item = dict[str, Any]
EACH = "0.000001"
"""An error window so short that each error is an event."""

APPLICATION = """
import asyncio, logging, sys
import httpx, telemetry
from fastapi import FastAPI, HTTPException
telemetry.init(strict=True)
app = FastAPI()

@app.get("/boom/{number}")
async def boom(number: int):
    telemetry.set_user_context(str(number), "anna")
    telemetry.set_tag("plan", "pro")
    telemetry.add_breadcrumb("meal", "photo received", {"size": 7})
    password = "secret in a local"
    raise ZeroDivisionError("token 123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc")

@app.get("/quiet")
async def quiet():
    raise HTTPException(404)

@app.get("/client-error")
async def client_error():
    telemetry.record_error(HTTPException(422), component="api")

@app.get("/logged")
async def logged():
    logging.getLogger("shop").error("stock is empty")
    logging.getLogger("opentelemetry.sdk").error("export failed")

telemetry.instrument_fastapi(app)
async def main():
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await asyncio.gather(*(client.get(path) for path in sys.argv[1:]))
asyncio.run(main())
assert telemetry.shutdown()
"""


class Store(BaseHTTPRequestHandler):
    """Keeps the items of every envelope."""

    items: list[Item]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        lines = body.split(b"\n")
        for head, payload in zip(lines[1::2], lines[2::2], strict=False):
            self.items.append(json.loads(payload) | {"item": json.loads(head)["type"]})
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@pytest.fixture
def dsn() -> Iterator[str]:
    Store.items = []
    with http_server(Store) as address:
        yield f"http://key@{address}/1"


def run(dsn: str, *paths: str, **environ: str) -> tuple[list[Item], list[Item]]:
    """Request the paths from the application; return the events and the transactions that were sent."""
    environ = {
        "SENTRY_DSN": dsn,
        "GIT_SHA": "abc123",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_TRACES_EXPORTER": "none",
    } | environ
    command = [sys.executable, "-W", "error", "-c", APPLICATION, *paths]
    subprocess.run(command, env=clean_environment() | environ, check=True, timeout=60)  # noqa: S603
    events = [item for item in Store.items if item["item"] == "event"]
    return events, [item for item in Store.items if item["item"] == "transaction"]


def test_an_error_and_its_transaction_are_one_trace(dsn: str) -> None:
    (event,), (transaction,) = run(dsn, "/boom/7")
    assert event["contexts"]["trace"]["trace_id"] == transaction["contexts"]["trace"]["trace_id"]
    assert event["contexts"]["trace"]["span_id"] == transaction["contexts"]["trace"]["span_id"]
    assert transaction["transaction"] == "GET /boom/{number}"
    assert transaction["contexts"]["trace"]["op"] == "http.server"
    assert transaction["contexts"]["trace"]["status"] == "internal_error"


def test_an_error_carries_user_tags_breadcrumbs_release_and_environment(dsn: str) -> None:
    (event,), _ = run(dsn, "/boom/7", SENTRY_ENVIRONMENT="staging", SENTRY_TRACES_SAMPLE_RATE="1")
    assert event["user"] == {"id": "7", "username": "anna"}
    assert event["tags"] == {"plan": "pro"}
    assert [(crumb["category"], crumb["message"], crumb["data"]) for crumb in event["breadcrumbs"]["values"]] == [
        ("meal", "photo received", {"size": 7})
    ]
    assert (event["release"], event["environment"]) == ("abc123", "staging")


def test_no_secret_local_header_or_body_is_in_an_event(dsn: str) -> None:
    (event,), _ = run(dsn, "/boom/7")
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert "AAEhBOweik6ad9r" not in json.dumps(event)
    assert not any("vars" in frame for frame in frames)
    assert "request" not in event


def test_concurrent_requests_do_not_share_their_users(dsn: str) -> None:
    events, _ = run(dsn, *(f"/boom/{number}" for number in range(20)), TELEMETRY_ERROR_WINDOW=EACH)
    assert sorted(int(event["user"]["id"]) for event in events) == list(range(20))
    assert all(len(event["breadcrumbs"]["values"]) == 1 for event in events)


def test_an_error_in_a_trace_that_was_not_sampled_still_has_a_trace_id(dsn: str) -> None:
    (event,), transactions = run(dsn, "/boom/7", SENTRY_TRACES_SAMPLE_RATE="0")
    assert int(event["contexts"]["trace"]["trace_id"], 16) > 0
    assert transactions == []


@pytest.mark.parametrize("path", ["/quiet", "/client-error"])
def test_an_http_exception_below_500_is_no_event(dsn: str, path: str) -> None:
    events, (transaction,) = run(dsn, path)
    assert events == []
    assert transaction["transaction"] == f"GET {path}"


def test_an_error_in_the_log_is_an_event_unless_it_is_opentelemetrys_own(dsn: str) -> None:
    (event,), _ = run(dsn, "/logged")
    assert event["logger"] == "shop"


def test_switched_off_nothing_is_sent(dsn: str) -> None:
    assert run(dsn, "/boom/7", ENABLE_SENTRY="false") == ([], [])
    assert Store.items == []


def test_without_tracing_errors_are_sent_and_no_transactions(dsn: str) -> None:
    (event,), transactions = run(dsn, "/boom/7", ENABLE_TRACING="false")
    assert event["user"]["id"] == "7"
    assert transactions == []
