"""A proxy between the Collector and a store that answers as a fault wants: refuses, hangs, is slow, loses answers."""

from __future__ import annotations

import gzip
import http.client
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["HEALTHY", "Behaviour", "Proxy", "between"]

_KEPT = ("content-type", "content-encoding", "user-agent", "x-prometheus-remote-write-version")
_NO_ANSWER = 599


@dataclass(frozen=True)
class Behaviour:
    """What becomes of a request: an answer of the proxy's own, or the store's after a delay, or none."""

    status: int = 0
    """The proxy's own answer; 0 passes the request on."""
    retry_after: int | None = None
    """Seconds, in the header of that answer."""
    delay_seconds: float = 0.0
    hangs: bool = False
    """No answer until the behaviour changes; the request is not passed on."""
    loses_answer: bool = False
    """The store has taken it; the connection ends without an answer."""


HEALTHY = Behaviour()


@dataclass
class Proxy:
    """Stands before one store; `behaviour` may change at any time, from any thread."""

    target: str
    """HOST:PORT of the store."""
    url: str = ""
    behaviour: Behaviour = HEALTHY
    poison: Callable[[bytes], bool] = lambda _body: False
    """Tells which bodies the store can never take: they are answered 503, whatever the behaviour."""
    answered: dict[int, int] = field(default_factory=dict)
    """How many requests got which status."""
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def behave(self, behaviour: Behaviour) -> None:
        """Behave so from now on; requests that hang are let go without an answer."""
        with self._changed:
            self.behaviour = behaviour
            self._changed.notify_all()

    def count(self, status: int) -> None:
        """Note an answer."""
        with self._changed:
            self.answered[status] = self.answered.get(status, 0) + 1

    def wait_for_change(self, behaviour: Behaviour) -> None:
        """Return when another behaviour is in force."""
        with self._changed:
            self._changed.wait_for(lambda: self.behaviour is not behaviour)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        behaviour = self.proxy.behaviour
        time.sleep(behaviour.delay_seconds)
        if behaviour.hangs:
            self.proxy.wait_for_change(behaviour)
            self._hang_up()
        elif behaviour.status:
            self._answer(behaviour.status, b"", behaviour.retry_after)
        else:
            self._pass_on(body, behaviour)

    def _pass_on(self, body: bytes, behaviour: Behaviour) -> None:
        if self.proxy.poison(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body):
            self._answer(http.client.SERVICE_UNAVAILABLE, b"", None)
            return
        kept = {name: self.headers[name] for name in _KEPT if self.headers[name]}
        connection = http.client.HTTPConnection(self.proxy.target, timeout=60)
        try:
            connection.request("POST", self.path, body, kept)
            answer = connection.getresponse()
            content = answer.read()
        except OSError:  # the store is not there: so it looks as if nobody were
            self._hang_up()
            return
        finally:
            connection.close()
        if behaviour.loses_answer:
            self._hang_up()
        else:
            self._answer(answer.status, content, None, answer.getheader("content-type") or "")

    def _hang_up(self) -> None:
        self.proxy.count(_NO_ANSWER)
        self.close_connection = True

    def _answer(self, status: int, content: bytes, retry_after: int | None, content_type: str = "") -> None:
        self.proxy.count(status)
        try:
            self.send_response(status)
            if content_type:
                self.send_header("content-type", content_type)
            if retry_after is not None:
                self.send_header("retry-after", str(retry_after))
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:  # the Collector gave up waiting, or was killed
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a Collector that is killed resets its connections."""
        del request, client_address


@contextmanager
def between(target: str) -> Iterator[Proxy]:
    """Stand before the store at `HOST:PORT` until the block is left."""
    proxy = Proxy(target)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield proxy
    finally:
        proxy.behave(Behaviour(status=503))
        server.shutdown()
        server.server_close()
