"""A server in front of another one, whose clock is off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

import httpx

from tests.conftest import http_server

KEPT = ("content-type", "content-encoding", "authorization", "accept")


@contextmanager
def shifted(url: str, seconds: float) -> Iterator[str]:
    """Hand everything on to `url`, and date the answers so many seconds ahead."""

    class Handler(BaseHTTPRequestHandler):
        upstream: ClassVar[str] = url

        def _hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: self.headers[name] for name in KEPT if name in self.headers}
            answer = httpx.request(
                self.command, f"{self.upstream}{self.path}", content=body, headers=headers, trust_env=False
            )
            self.send_response_only(answer.status_code)
            self.send_header("Date", formatdate(time.time() + seconds, usegmt=True))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _hand_on  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http_server(Handler) as address:
        yield f"http://{address}"
