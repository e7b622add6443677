"""A load generator: so many connections, each sends a request when the one before is answered."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Client", "Load", "send"]

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


class Client:
    """Open connections to a server; a context manager that closes them."""

    def __init__(self, load: Load, port: int) -> None:
        """Connect with the first request."""
        self._port = port
        self._messages = itertools.cycle(list(load.messages()))
        self._connections: list[_Connection | None] = [None] * load.connections
        self._left = 0
        self.seconds: float = 0.0
        """How long all that was sent took."""
        self.times: list[float] = []
        """How long each request took."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            if connection is not None:
                connection.close()
        await asyncio.sleep(0)

    async def send(self, requests: int) -> None:
        """Send so many: over each connection the next one when the one before is answered."""
        self._left = requests
        start = time.perf_counter()
        await asyncio.gather(*(self._keep_sending(number) for number in range(len(self._connections))))
        self.seconds += time.perf_counter() - start

    async def _keep_sending(self, number: int) -> None:
        while self._left:
            connection = self._connections[number]
            if connection is None or connection.is_closed:  # a server closes one after an error
                connection = self._connections[number] = await self._connect()
            await connection.keep_sending()

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: _Connection(self._next, self.times), "127.0.0.1", self._port
        )
        return connection

    def _next(self) -> bytes | None:
        if not self._left:
            return None
        self._left -= 1
        return next(self._messages)


class _Connection(asyncio.Protocol):
    """Sends the next request when an answer is complete."""

    def __init__(self, next_message: Callable[[], bytes | None], times: list[float]) -> None:
        self._next, self._times = next_message, times
        self._received = b""
        self._start = 0.0
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream
        self._transport = transport

    def keep_sending(self) -> asyncio.Future[None]:
        """Send until there is nothing left to send, or the connection is closed."""
        self._done = asyncio.get_running_loop().create_future()
        self._send()
        return self._done

    def close(self) -> None:
        """Close it."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if found and len(body) >= _length(head):
            self._received = b""
            self._times.append(time.perf_counter() - self._start)
            if b"connection: close" in head:
                self._transport.abort()  # the server goes on without it
                self._finish(closed=True)
            else:
                self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self._finish(closed=True)  # a server that answers an error may close hard; one that is gone refuses the next

    def _send(self) -> None:
        message = self._next()
        if message is None:
            self._finish(closed=False)
        else:
            self._start = time.perf_counter()
            self._transport.write(message)

    def _finish(self, *, closed: bool) -> None:
        self.is_closed = self.is_closed or closed
        if not self._done.done():
            self._done.set_result(None)


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[at:].split(b"\r\n", 1)[0])


async def send(load: Load, port: int) -> None:
    """Send all of a load to a server."""
    async with Client(load, port) as client:
        await client.send(load.requests)
