"""A conversation to look at is found however many traces failed since."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from grafana.source.check import Backends


def trace(**tags: str) -> dict[str, Any]:
    return {"traceID": "1", "spans": [{"tags": [{"key": key, "value": value} for key, value in tags.items()]}]}


FAILED = [trace(error="true")] * 300 + [trace(**{"error": "true", "gen_ai.conversation.id": "c0ffee"})]
"""Newest first, as Jaeger gives them."""


class Jaeger(BaseHTTPRequestHandler):
    """Gives as many of the newest failed traces as it is asked for."""

    def do_GET(self) -> None:
        limit = int(parse_qs(urlsplit(self.path).query)["limit"][0])
        body = json.dumps({"data": FAILED[:limit]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def jaeger() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Jaeger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_conversation_is_found_behind_hundreds_of_failures_that_were_in_none(jaeger: str) -> None:
    with Backends({"TELEMETRY_PROMETHEUS_URL": jaeger, "TELEMETRY_JAEGER_URL": jaeger}) as backends:
        assert backends.some_conversation() == "c0ffee"
