"""What goes to Sentry, read from the wire: an application in a process of its own sends to a server that keeps all."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from telemetry.pseudonyms import Pseudonyms
from tests.conftest import clean_environment, http_server

Item = dict[str, Any]
EACH = "0.000001"
"""An error window so short that each error is an event."""

KEY = "a key of 16 characters or more"
APPLICATION = """
import asyncio, logging, sys
import httpx, telemetry
from fastapi import FastAPI, HTTPException
telemetry.init(strict=True)
app = FastAPI()
log = logging.getLogger("shop")

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
    log.error("stock is empty")
    for quiet in ("opentelemetry.sdk", "telegram.ext.Updater", "httpx", "uvicorn.error", "telemetry"):
        logging.getLogger(quiet).error("repeats what is known")

@app.get("/users")
async def users():
    async def one(number):
        with telemetry.user_context(str(number)):
            await asyncio.sleep(0.01)
            log.error("of user %d", number)
    await asyncio.gather(*(one(number) for number in range(5)))

@app.get("/pool")
async def pool():
    telemetry.set_user_context("7")
    log.error("about to ask the pool")
    def work():
        try:
            raise ValueError("in a pool")
        except ValueError as error:
            telemetry.record_error(error)
    await asyncio.get_running_loop().run_in_executor(None, work)

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


LINKS = ["processor", "otlp"]
Run = Callable[..., tuple[list[Item], list[Item]]]


@pytest.fixture(params=LINKS)
def link(request: pytest.FixtureRequest) -> str:
    """How errors and traces are linked: what is said here of errors holds for both."""
    return str(request.param)


@pytest.fixture
def run(dsn: str, link: str) -> Run:
    """Request the paths from the application; gives the events and the transactions that were sent."""

    def run_linked(*paths: str, **environ: str) -> tuple[list[Item], list[Item]]:
        environ = {
            "SENTRY_DSN": dsn,
            "GIT_SHA": "abc123",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_TRACES_EXPORTER": "none",
            "TELEMETRY_SENTRY_LINK": link,
        } | environ
        command = [sys.executable, "-W", "error", "-c", APPLICATION, *paths]
        subprocess.run(command, env=clean_environment() | environ, check=True, timeout=60)  # noqa: S603
        return sent("event"), sent("transaction")

    return run_linked


def sent(kind: str) -> list[Item]:
    """Return the items of this kind that the server was sent."""
    return [item for item in Store.items if item["item"] == kind]


@pytest.mark.parametrize("link", ["processor"], indirect=True)
def test_an_error_and_its_transaction_are_one_trace(run: Run) -> None:
    (event,), (transaction,) = run("/boom/7")
    assert event["contexts"]["trace"]["trace_id"] == transaction["contexts"]["trace"]["trace_id"]
    assert event["contexts"]["trace"]["span_id"] == transaction["contexts"]["trace"]["span_id"]
    assert transaction["transaction"] == "GET /boom/{number}"
    assert transaction["contexts"]["trace"]["status"] == "internal_error"


@pytest.mark.parametrize("link", ["otlp"], indirect=True)
def test_linked_without_the_processor_there_are_errors_and_no_transactions(run: Run) -> None:
    (event,), transactions = run("/boom/7")
    assert int(event["contexts"]["trace"]["trace_id"], 16) > 0
    assert transactions == []


def test_an_error_carries_user_tags_breadcrumbs_release_and_environment(run: Run) -> None:
    (event,), _ = run("/boom/7", SENTRY_ENVIRONMENT="staging", SENTRY_TRACES_SAMPLE_RATE="1", TELEMETRY_USER_KEY=KEY)
    assert event["user"] == {"id": Pseudonyms(KEY).user("7")}
    assert event["tags"] == {"plan": "pro"}
    assert [(crumb["category"], crumb["message"], crumb["data"]) for crumb in event["breadcrumbs"]["values"]] == [
        ("meal", "photo received", {"size": 7})
    ]
    assert (event["release"], event["environment"]) == ("abc123", "staging")
    assert event["server_name"] == "health-agent"


def test_no_secret_local_header_or_body_is_in_an_event(run: Run) -> None:
    (event,), _ = run("/boom/7")
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert "AAEhBOweik6ad9r" not in json.dumps(event)
    assert not any("vars" in frame for frame in frames)
    assert "request" not in event


def test_concurrent_requests_do_not_share_their_users(run: Run) -> None:
    events, _ = run(*(f"/boom/{number}" for number in range(20)), TELEMETRY_ERROR_WINDOW=EACH)
    assert sorted(int(event["user"]["id"]) for event in events) == list(range(20))
    assert all(len(event["breadcrumbs"]["values"]) == 1 for event in events)


def test_concurrent_blocks_of_one_request_do_not_share_their_users(run: Run) -> None:
    events, _ = run("/users", TELEMETRY_ERROR_WINDOW=EACH)
    found = [(event["user"]["id"], event["logentry"]) for event in events]
    assert sorted(found) == [(str(number), {"message": "of user %d"}) for number in range(5)]


def test_an_error_in_a_pool_has_the_scope_and_the_trace_of_who_asked_for_it(run: Run) -> None:
    (asking, pooled), _ = run("/pool")
    assert pooled["exception"]["values"][0]["value"] == "in a pool"
    assert pooled["user"] == {"id": "7"}
    assert pooled["contexts"]["trace"] == asking["contexts"]["trace"]


@pytest.mark.parametrize("path", ["/quiet", "/client-error"])
def test_an_http_exception_below_500_is_no_event(run: Run, path: str) -> None:
    events, _ = run(path)
    assert events == []


def test_an_error_in_the_log_is_an_event_unless_it_repeats_what_is_known(run: Run) -> None:
    (event,), _ = run("/logged")
    assert (event["logger"], event["logentry"]["message"]) == ("shop", "stock is empty")


def test_a_request_that_was_not_sampled_sends_its_error_with_a_trace_and_no_transaction(run: Run) -> None:
    (event,), transactions = run("/boom/7", SENTRY_TRACES_SAMPLE_RATE="0")
    assert int(event["contexts"]["trace"]["trace_id"], 16) > 0
    assert event["user"]["id"] == "7"
    assert transactions == []


def test_switched_off_nothing_is_sent(run: Run) -> None:
    assert run("/boom/7", ENABLE_SENTRY="false") == ([], [])
    assert Store.items == []


def test_without_tracing_errors_are_sent_and_no_transactions(run: Run) -> None:
    (event,), transactions = run("/boom/7", ENABLE_TRACING="false")
    assert event["user"]["id"] == "7"
    assert transactions == []
