"""A kept-open connection that posts with two system calls: one writes a request, one reads its answer.

Each call that may block gives the interpreter's lock away, and getting it back costs more beside an application that is
busy: with `http.client`'s own requests, which wait for the socket before each of six calls, a transaction takes 500 us
where it takes 210. They are many and small, and each must be a request of its own. Errors are few: Sentry's own
transport has them.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import struct
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import certifi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Answer", "Wire"]

_SECONDS = 10
_READ_AT_ONCE = 65536
_FIRST_OF_FINAL = 200
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
        self._message = b""
        self._head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items())])

    def begin(self, body: bytes, encoding: str) -> None:
        """Write a request, where the connection is open still; `finish` sees to the rest."""
        facts = f"\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\n\r\n"
        self._message = (self._head + facts).encode("ascii") + body
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._write()

    def finish(self) -> Answer:
        """Read the answer, after a second try on a new connection where the old one was closed.

        Raises `OSError` or `HTTPException`.
        """
        if self._connection.sock is not None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                return self._read()
        self._connect()
        self._write()
        return self._read()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()

    def _connect(self) -> None:
        self._connection.connect()
        if sys.platform != "win32":
            _time_out_in_the_kernel(self._connection.sock)

    def _write(self) -> None:
        with self._closed_by_failure():
            self._connection.sock.sendall(self._message)

    def _read(self) -> Answer:
        with self._closed_by_failure():
            data = self._connection.sock.recv(_READ_AT_ONCE)
            status, headers, closes = _whole(data) or _in_pieces(data, self._connection.sock)
        if closes:
            self.close()
        return status, headers

    @contextlib.contextmanager
    def _closed_by_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.close()
            raise


def _whole(data: bytes) -> tuple[int, Mapping[str, str], bool] | None:
    """Return status, headers and whether the connection ends, where an answer has come whole and says how long it is.

    `http.client` reads headers as those of an e-mail: that takes as long as all else that is done for a transaction.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    status = int(rest[:3]) if rest[:3].isdecimal() else 0
    if version != "HTTP/1.1" or status < _FIRST_OF_FINAL or headers.get("content-length") != str(len(body)):
        return None
    return status, headers, headers.get("connection", "").lower() == "close"


def _in_pieces(begun: bytes, rest: socket.socket) -> tuple[int, Mapping[str, str], bool]:
    """Read any other answer, of which something has come: in chunks, after an interim one, cut off, or none at all."""
    answer = http.client.HTTPResponse(_Stream(begun, rest), method="POST")  # type: ignore[arg-type]  # it asks for a file
    answer.begin()
    answer.read()
    return answer.status, {name.lower(): value for name, value in answer.headers.items()}, bool(answer.will_close)


class _Stream(io.RawIOBase):
    """What was read of a socket, and then the socket."""

    def __init__(self, begun: bytes, rest: socket.socket) -> None:
        self._begun, self._rest = begun, rest

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - what BufferedReader has
        if not self._begun:
            return self._rest.recv_into(buffer)
        piece, self._begun = self._begun[: len(buffer)], self._begun[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _time_out_in_the_kernel(connected: socket.socket) -> None:
    """Let the kernel end a call that takes too long: a timeout of Python's own is one more call before each."""
    connected.settimeout(None)
    seconds = struct.pack("ll", _SECONDS, 0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connected.setsockopt(socket.SOL_SOCKET, option, seconds)
