"""A server that takes whatever an application sends to a Collector or to Sentry, and keeps its bytes."""

from __future__ import annotations

import gzip
import threading
import urllib.request
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Received", "Sink", "receiving"]

_FORWARD_SECONDS = 10.0


class Received(NamedTuple):
    """One request, its body as it was before it was compressed."""

    path: str
    headers: str
    body: bytes

    @property
    def everything(self) -> bytes:
        """All of it that could hold something."""
        return f"{self.path}\n{self.headers}\n".encode() + self.body


@dataclass
class Sink:
    """What came; with `onward`, every request also goes there."""

    url: str = ""
    onward: str = ""
    received: list[Received] = field(default_factory=list)

    @property
    def dsn(self) -> str:
        """What SENTRY_DSN must be for errors to come here."""
        return f"{self.url.replace('//', '//key@', 1)}/1"

    def of(self, part: str) -> list[Received]:
        """Return what came by paths with this part."""
        return [request for request in self.received if part in request.path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sink: Sink

    def do_POST(self) -> None:
        """Keep it, and answer."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        plain = _plain(body, self.headers.get("content-encoding", ""))
        self.sink.received.append(Received(self.path, str(self.headers), plain))
        status, answer = self._forward(body) if self.sink.onward else (200, b"{}")
        self.send_response(status)
        self.send_header("content-type", "application/json" if answer == b"{}" else "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
        request = urllib.request.Request(self.sink.onward + self.path, body, headers)  # noqa: S310 - a loopback address
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_FORWARD_SECONDS) as answer:
                return answer.status, answer.read()
        except OSError as error:
            return getattr(error, "code", 503), b""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _plain(body: bytes, encoding: str) -> bytes:
    """Return the body as it was before it was compressed; as it is where that cannot be told."""
    try:
        if encoding == "gzip":
            return gzip.decompress(body)
        return zlib.decompress(body) if encoding == "deflate" else body
    except (OSError, zlib.error, EOFError):
        return body


@contextmanager
def receiving(onward: str = "") -> Iterator[Sink]:
    """Receive on a free loopback port until the block is left."""
    sink = Sink(onward=onward)
    handler = type("Handler", (_Handler,), {"sink": sink})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), name="telemetry.sink", daemon=True).start()
    sink.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
