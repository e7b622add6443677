"""A load generator: so many connections, each sends a request when the one before is answered."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Load", "send"]

ITEMS = 100
"""Different ids in the path: a route has one name for all of them."""


@dataclass(frozen=True)
class Load:
    """What is sent: `path` has `{item}` in it; `connections` send `requests` in all."""

    method: str
    path: str
    requests: int
    connections: int
    headers: str = ""

    def messages(self) -> Iterator[bytes]:
        """Return the requests' bytes, one after the other."""
        for number in range(self.requests):
            path = self.path.format(item=number % ITEMS)
            yield (f"{self.method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-length: 0\r\n{self.headers}\r\n").encode()


class _Connection(asyncio.Protocol):
    """Sends the next request when an answer is complete."""

    def __init__(self, messages: Iterator[bytes], times: list[float]) -> None:
        self._messages, self._times = messages, times
        self._received = b""
        self._start = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and len(body) >= _length(head):
            self._received = b""
            self._times.append(time.perf_counter() - self._start)
            if b"connection: close" in head:
                self._transport.abort()  # the server goes on without it
                self._finish()
            else:
                self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self._finish()  # a server that answers an error may close hard; one that is gone refuses the next connection

    def _send(self) -> None:
        message = next(self._messages, None)
        if message is None:
            self._transport.close()
            self._finish()
        else:
            self._start = time.perf_counter()
            self._transport.write(message)

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[at:].split(b"\r\n", 1)[0])


async def send(load: Load, port: int) -> tuple[float, list[float]]:
    """Send all; return the seconds it took, and those of each request."""
    times: list[float] = []
    messages = load.messages()
    start = time.perf_counter()
    await asyncio.gather(*(_keep_sending(messages, times, port) for _ in range(load.connections)))
    return time.perf_counter() - start, times


async def _keep_sending(messages: Iterator[bytes], times: list[float], port: int) -> None:
    """Send on one connection after the other: a server closes one after an error."""
    loop = asyncio.get_running_loop()
    for first in messages:
        rest = itertools.chain([first], messages)
        _, connection = await loop.create_connection(lambda rest=rest: _Connection(rest, times), "127.0.0.1", port)  # type: ignore[misc]
        await connection.done
