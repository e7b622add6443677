"""A kept-open HTTP connection that posts: what `urllib3` does in 400 us of processor time, in ten.

Transactions are many and small, and each must be a request of its own. Errors are few: Sentry's own transport has them.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Wire"]

_SECONDS = 10.0
_MOST = 1 << 20
"""Bytes of an answer that are read at most."""
_STATUS_BEGINS, _STATUS_ENDS = 9, 12
_TO_THE_END = -1


class Answer:
    """The status of an answer, and its headers in lower case."""

    def __init__(self, head: bytes) -> None:
        """Read the head; raises `ValueError` for what is no answer of HTTP/1."""
        first, *lines = head.split(b"\r\n")
        if not first.startswith(b"HTTP/1."):
            raise ValueError("an answer begins with HTTP/1 (this one does not)")
        self.status: int = int(first[_STATUS_BEGINS:_STATUS_ENDS])
        pairs = (line.partition(b":") for line in lines)
        self.headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1").strip() for name, _, value in pairs
        }


class Wire:
    """Posts to one address, over one connection at a time; for one thread."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Prepare; `url` is `http://` or `https://`, `headers` go with each request."""
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._tls else 80)
        lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc.rpartition('@')[2]}"]
        self._head = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), ""]).encode()
        self._socket: socket.socket | None = None
        self._rest = b""

    def post(self, body: bytes) -> Answer:
        """Post, once more on a new connection where the old one was closed; raises `OSError` or `ValueError`."""
        message = self._head + b"content-length: %d\r\n\r\n" % len(body) + body
        if self._socket is not None:
            try:
                return self._exchange(self._socket, message)
            except (OSError, ValueError):
                self.close()
        return self._exchange(self._connect(), message)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""

    def _connect(self) -> socket.socket:
        plain = socket.create_connection((self._host, self._port), _SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found = ssl.create_default_context().wrap_socket(plain, server_hostname=self._host) if self._tls else plain
        self._socket = found
        return found

    def _exchange(self, connection: socket.socket, message: bytes) -> Answer:
        try:
            connection.sendall(message)
            answer = Answer(self._until(connection, b"\r\n\r\n"))
            self._skip_body(connection, answer)
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def _skip_body(self, connection: socket.socket, answer: Answer) -> None:
        if "chunked" in answer.headers.get("transfer-encoding", ""):
            while size := int(self._until(connection, b"\r\n").split(b";")[0], 16):
                self._read(connection, size + 2)
            self._until(connection, b"\r\n")
        elif "content-length" in answer.headers:
            self._read(connection, int(answer.headers["content-length"]))
        else:
            answer.headers["connection"] = "close"

    def _until(self, connection: socket.socket, end: bytes) -> bytes:
        while end not in self._rest:
            self._more(connection)
        found, _, self._rest = self._rest.partition(end)
        return found

    def _read(self, connection: socket.socket, size: int) -> None:
        if not 0 <= size <= _MOST:
            raise ValueError(f"an answer has at most {_MOST} bytes (got {size})")
        while len(self._rest) < size:
            self._more(connection)
        self._rest = self._rest[size:]

    def _more(self, connection: socket.socket) -> None:
        data = connection.recv(65536)
        if not data or len(self._rest) > _MOST:
            raise ConnectionError("the connection was closed within an answer")
        self._rest += data
