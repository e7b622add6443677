"""Answers of HTTP/1.1 read off a connection, of which several may come in one piece.

`http.client` reads headers as those of an e-mail, which takes as long as all else that is done for a transaction; it
reads what does not come whole.
"""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

__all__ = ["Answer", "AnswerReader"]

_READ_AT_ONCE = 65536
_FIRST_OF_FINAL = 200
Answer = tuple[int, "Mapping[str, str]", bool]
"""Status, headers, whose names are in lower case, and whether the connection ends with it."""


class AnswerReader:
    """The answers of a connection, one after the other."""

    def __init__(self, connected: socket.socket) -> None:
        """Read of a socket what nobody else reads."""
        self._socket, self._begun = connected, b""

    @property
    def all_read(self) -> bool:
        """Tell whether nothing is at hand, so that the next one is waited for."""
        return not self._begun

    def next(self) -> Answer:
        """Return the next one, and wait for it; raises `OSError` or `HTTPException`."""
        if not self._begun:
            self._begun = self._socket.recv(_READ_AT_ONCE)
        return self._whole() or self._in_pieces()

    def _whole(self) -> Answer | None:
        """Return an answer that has come whole and says how long it is."""
        head, end, rest = self._begun.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, words = first.partition(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        status = int(words[:3]) if words[:3].isdecimal() else 0
        length = headers.get("content-length", "")
        if not end or version != "HTTP/1.1" or status < _FIRST_OF_FINAL:
            return None
        if not length.isdecimal() or int(length) > len(rest):
            return None
        self._begun = rest[int(length) :]
        return status, headers, headers.get("connection", "").lower() == "close"

    def _in_pieces(self) -> Answer:
        """Read any other answer: in chunks, after an interim one, cut off, or none at all."""
        answer = http.client.HTTPResponse(_File(self._read_into), method="POST")  # type: ignore[arg-type]
        answer.begin()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, bool(answer.will_close)

    def _read_into(self, buffer: memoryview) -> int:
        self._begun = self._begun or self._socket.recv(_READ_AT_ONCE)
        piece, self._begun = self._begun[: len(buffer)], self._begun[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


class _File(io.RawIOBase):
    """What `http.client` takes for a socket, and reads as a file; no further than to the end of an answer."""

    def __init__(self, read_into: Callable[[memoryview], int]) -> None:
        self._read_into = read_into

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(self, 1)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - what BufferedReader has
        return self._read_into(buffer)
