"""A day's traffic in minutes, to see whether the memory is flat over its second half.

`python -m stack exec python -m bench.day [REQUESTS]`: 200,000 requests, one in a hundred of which fails, through the
whole application without the network between client and server; spans, metrics and errors go to the running stack.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import time
from typing import Any

import psutil
from fastapi import FastAPI

import telemetry

REQUESTS = 200_000
AT_ONCE = 20
EIGHTHS = 8
FAILS = 100

app = FastAPI()


@app.get("/items/{item}")
async def read(item: int) -> int:
    """Answer, or fail one time in a hundred."""
    if item % FAILS == 0:
        raise ValueError(item)
    with telemetry.get_tracer().start_as_current_span("inside"):
        await asyncio.sleep(0)
    return item


async def receive() -> dict[str, Any]:
    """Return a request without a body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: dict[str, Any]) -> None:
    """Take the answer."""


async def request(number: int) -> None:
    """Send one request."""
    path = f"/items/{number}"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": [],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    with contextlib.suppress(ValueError):
        await app(scope, receive, send)  # type: ignore[arg-type]


async def part(numbers: range) -> float:
    """Send requests, twenty at once; return the memory held afterwards, in MiB."""
    waiting = iter(numbers)

    async def worker() -> None:
        for number in waiting:
            await request(number)

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    gc.collect()
    return float(psutil.Process().memory_info().rss / 2**20)


async def main(requests: int) -> None:
    """Print the memory after each eighth."""
    start, size = time.perf_counter(), requests // EIGHTHS
    for eighth in range(EIGHTHS):
        held = await part(range(1 + eighth * size, 1 + (eighth + 1) * size))
        done = (eighth + 1) * size
        sys.stdout.write(f"{done:>8} requests  {time.perf_counter() - start:6.1f} s  {held:6.1f} MiB\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("SENTRY_TRACES_SAMPLE_RATE", "0.1")
    telemetry.init(strict=True)
    telemetry.instrument_fastapi(app)
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS))
    telemetry.shutdown(10)
