"""Headers that were made to do harm: every request is answered as without them, none costs much more.

HOSTILE_REQUESTS=2000 measures longer than the short form's 200 a kind.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import propagate

import telemetry
from telemetry.propagation import TrustedPropagator
from telemetry.settings import Settings
from tests.conftest import Recorded, record
from tests.integration.telemetry.web import application, serving

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "200"))
MOST = 2.0
"""How many times as long as a plain request a hostile one may take; 10 kB have to be read and refused."""
PARENT = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"
Headers = list[tuple[bytes, bytes]]
HOSTILE: dict[str, Headers] = {
    "a trace parent": [(b"traceparent", PARENT)],
    "a trace parent of nobody": [(b"traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01")],
    "trace parents by the hundred": [(b"traceparent", PARENT)] * 100,
    "a trace parent without end": [(b"traceparent", PARENT + b"-" + b"f" * 8000)],
    "10 kB of baggage": [(b"baggage", b",".join(b"key%d=%s" % (n, b"v" * 50) for n in range(180)))],
    "baggage without end": [(b"baggage", b"k=" + b"v" * 10_000)],
    "baggage of separators": [(b"baggage", b",;=" * 3000)],
    "trace state by the hundred": [(b"traceparent", PARENT), (b"tracestate", b",".join([b"key=value"] * 800))],
    "trace state of no form": [(b"traceparent", PARENT), (b"tracestate", b"=,@" * 3000)],
    "no UTF-8": [(name, b"\xff\xfe\xc3\x28=\xa0\xa1" * 20) for name in (b"traceparent", b"baggage", b"user-agent")],
    "a user agent of 8 kB": [(b"user-agent", b"(" * 8000)],
    "Sentry's headers": [(b"sentry-trace", b"1-" * 2000), (b"baggage", b"sentry-trace_id=" + b"f" * 4000)],
    "100 headers": [(b"x-%d" % n, b"v" * 80) for n in range(100)],
    "addresses of others": [(b"x-forwarded-for", b"1.2.3.4, " * 500), (b"forwarded", b"for=" + b"a" * 3000)],
}  # fmt: skip
TRUSTED = {"TELEMETRY_TRUSTED_CALLERS": "127.0.0.1"}
APP = application()


@pytest.fixture(params=[{}, TRUSTED], ids=["from a stranger", "from a trusted caller"])
def recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """Record every request, with the propagator that `init` sets; of a trusted caller the headers are read."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(TrustedPropagator())
    for recording in record(Settings.read(request.param)[0]):
        with telemetry.instrument_fastapi(APP):
            yield recording
    propagate.set_global_textmap(before)


async def raw(address: str, headers: Headers) -> bytes:
    """Ask over a socket, as no client library would; the status line."""
    host, _, port = address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [b"GET /api/items/7 HTTP/1.1", b"host: h", b"connection: close", *(b": ".join(pair) for pair in headers)]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n")[0]


async def test_every_request_is_answered_and_leaves_one_clean_span(recorded: Recorded) -> None:
    async with serving(APP) as address:
        answers = {name: await raw(address, headers) for name, headers in HOSTILE.items()}
    assert answers == dict.fromkeys(HOSTILE, b"HTTP/1.1 200 OK")
    assert [span.name for span in recorded.spans if span.parent is None or span.parent.is_remote] == [
        "GET /api/items/{item}"
    ] * len(HOSTILE)
    assert recorded.number("http_requests_total", endpoint="/api/items/{item}", status="200") == len(HOSTILE)
    assert recorded.errors == []


async def seconds(headers: Headers) -> float:
    """How long the application takes for one request, without any server."""
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/api/items/7",
        "raw_path": b"/api/items/7", "root_path": "", "scheme": "http", "query_string": b"",
        "headers": [(b"host", b"h"), *headers], "client": ("127.0.0.1", 1), "server": ("h", 80),
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: object) -> None:
        """Throw it away."""

    start = time.perf_counter()
    await APP(scope, receive, send)
    return time.perf_counter() - start


async def test_none_takes_much_longer_than_a_plain_one(recorded: Recorded) -> None:
    kinds: dict[str, Headers] = {"plain": [], **HOSTILE}
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(REQUESTS):
        for name, headers in kinds.items():
            taken[name].append(await seconds(headers))
        recorded._spans.clear()
    medians = {name: statistics.median(found) for name, found in taken.items()}
    ratios = {name: median / medians["plain"] for name, median in medians.items()}
    print(f"plain {medians['plain'] * 1e6:.0f} us;", {name: round(ratio, 2) for name, ratio in ratios.items()})  # noqa: T201
    assert {name: ratio for name, ratio in ratios.items() if ratio > MOST} == {}
