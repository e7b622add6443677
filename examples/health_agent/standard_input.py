"""Standard input, read on a daemon thread straight from its descriptor, so that no exit waits for a line."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator

__all__ = ["lines", "stop_at_end"]

CHUNK = 4096


def stop_at_end() -> None:
    """Send SIGTERM to this process when standard input ends: a child then outlives no parent, however that died."""
    threading.Thread(target=_wait_for_end, name="standard-input", daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, CHUNK):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


async def lines() -> AsyncIterator[str]:
    """Yield each line without its end, until standard input ends."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[bytes]()

    def read() -> None:
        chunk = b"-"
        while chunk:
            chunk = os.read(0, CHUNK)
            loop.call_soon_threadsafe(queue.put_nowait, chunk)

    threading.Thread(target=read, name="standard-input", daemon=True).start()
    waiting = b""
    while chunk := await queue.get():
        *complete, waiting = (waiting + chunk).split(b"\n")
        for line in complete:
            yield line.decode(errors="replace")
