"""A kept-open connection over which many are posted at once: one system call writes them, one reads the answers.

Each call that may block gives the interpreter's lock away, and getting it back costs more beside an application that is
busy. Transactions are many and small, and each must be a request of its own. Errors are few: Sentry's own transport has
them.

https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2 (pipelining)
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import struct
import sys
import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import certifi

from telemetry._http_answers import AnswerReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Answer", "Wire"]

_SECONDS = 10
_AT_ONCE = 25
_LATE_SECONDS = 1.0
_GATHERING_SECONDS = 0.05
"""So long the answers to several requests are left to gather, before one call reads them."""
Answer = tuple[int, "Mapping[str, str]"]
"""Status and headers, whose names are in lower case."""


class Wire:
    """Posts to one address, over one connection at a time; for one thread, which may `begin` on several at once."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Prepare; `url` is `http://` or `https://`, `headers` go with each request."""
        parts = urlsplit(url)
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            known = ssl.create_default_context(cafile=certifi.where())
            self._connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=_SECONDS, context=known
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
        lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc.rpartition('@')[2]}"]
        self._head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items())])
        self._answers: AnswerReader | None = None
        """Those of the open connection."""
        self._at_once, self._together = _AT_ONCE, 0
        self._left: deque[bytes] = deque()
        self._written = 0
        self._asked_at = 0.0

    @property
    def room(self) -> int:
        """How many to `begin` with: one where the connection is new, which the server may close after each answer."""
        return self._at_once if self._answers is not None else 1

    def begin(self, posts: Sequence[tuple[bytes, str]]) -> None:
        """Take requests, bodies and their encodings, and write what there is room for where the connection is open."""
        if self._written:  # and not read
            self.close()
        self._left = deque(self._message(*post) for post in posts)
        if self._answers is not None:
            with contextlib.suppress(OSError):
                self._write(self.room)

    def finish(self) -> Iterator[Answer]:
        """Write what is left, and read the answers; what got none on a connection used before is written to a new one.

        Raises `OSError` or `HTTPException` where that gives none, either.
        """
        while self._left:
            fresh = self._answers is None
            try:
                yield from self._exchange()
            except (OSError, http.client.HTTPException):
                self._learn()
                self.close()
                if fresh:
                    raise

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()
        self._answers, self._written, self._together = None, 0, 0

    def _message(self, body: bytes, encoding: str) -> bytes:
        facts = f"\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\n\r\n"
        return (self._head + facts).encode("ascii") + body

    def _exchange(self) -> Iterator[Answer]:
        """Write what there is room for, unless `begin` has, and read the answers up to one that ends the connection."""
        answers, count = self._answers, self.room
        if answers is None:
            answers = self._answers = AnswerReader(self._connect())
        if not self._written:
            self._write(count)
        while self._written:
            if answers.all_read:
                self._let_gather()
            status, headers, closes = answers.next()
            self._left.popleft()
            self._written -= 1
            if closes:
                self.close()
            yield status, headers

    def _let_gather(self) -> None:
        """Wait until several answers may have come since the last ones were waited for."""
        if self._written > 1:
            time.sleep(max(0.0, self._asked_at + _GATHERING_SECONDS - time.monotonic()))
        self._asked_at = time.monotonic()

    def _learn(self) -> None:
        """Write one at a time from now on, where the server answered a part of what it was given at once, or was late.

        gunicorn's threads leave what they have read of a second request, until they close the connection after 2 s. A
        connection that was closed before it was written to tells nothing.
        """
        late = time.monotonic() - self._asked_at > _LATE_SECONDS
        if self._together > 1 and (self._written < self._together or late):
            self._at_once = 1

    def _connect(self) -> socket.socket:
        self._connection.connect()
        if sys.platform != "win32":
            _time_out_in_the_kernel(self._connection.sock)
        return self._connection.sock

    def _write(self, count: int) -> None:
        self._written = self._together = min(count, len(self._left))
        self._asked_at = time.monotonic()
        self._connection.sock.sendall(b"".join(islice(self._left, count)))


def _time_out_in_the_kernel(connected: socket.socket) -> None:
    """Let the kernel end a call that takes too long: a timeout of Python's own is one more call before each."""
    connected.settimeout(None)
    seconds = struct.pack("ll", _SECONDS, 0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connected.setsockopt(socket.SOL_SOCKET, option, seconds)
