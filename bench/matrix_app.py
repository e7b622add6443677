"""The programs that `bench.matrix` runs: an API, and jobs in processes of several kinds.

`python -m bench.matrix_app bare|fork|spawn|twice UNITS` prints what each process did, as JSON, by process id; the API
is `bench.matrix_app:app`, which with `MATRIX_EXPLICIT` calls telemetry itself and without knows nothing of it.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

import telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CHILDREN = 3


def work(units: int) -> tuple[int, int]:
    """Do some units of work, each one span and one count; return the process and how many."""
    for _ in range(units):
        with telemetry.food_photo_analysis(model="matrix") as analysis:
            analysis.result(confidence=0.9, food_count=1)
    return os.getpid(), units


async def work_async(units: int) -> tuple[int, int]:
    """Do the same on an event loop."""
    await asyncio.sleep(0)
    return work(units)


def child(units: int) -> tuple[int, int]:
    """Work in a child process; a spawned one has to set telemetry up."""
    telemetry.init()
    time.sleep(0.2)  # so that no child takes the work of another
    return work(units)


def in_children(method: str, units: int) -> list[tuple[int, int]]:
    """Work here, while exports run, and then in children, which end by themselves."""
    done = [work(units)]
    context: Any = multiprocessing.get_context(method)  # whose type stubs differ by method
    answers = context.SimpleQueue()
    children = [context.Process(target=_answer, args=(answers.put, units)) for _ in range(CHILDREN)]
    for process in children:
        process.start()
    return [*done, *(answers.get() for _ in children), work(units)]


def _answer(put: Callable[[tuple[int, int]], None], units: int) -> None:
    put(child(units))


PROGRAMS: dict[str, Callable[[int], list[tuple[int, int]]]] = {
    "bare": lambda units: [work(units)],
    "fork": lambda units: in_children("fork", units),
    "spawn": lambda units: in_children("spawn", units),
    "twice": lambda units: [asyncio.run(work_async(units)), asyncio.run(work_async(units))],
}


def tell(done: list[tuple[int, int]]) -> None:
    """Say what was done, in one system call: workers share the output, and `print` writes line and end apart."""
    os.write(sys.stdout.fileno(), f"{json.dumps(done)}\n".encode())


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Work at the very end, when no request is open any more."""
    yield
    tell([work(1)])


app = FastAPI(lifespan=lifespan)


@app.get("/work")
async def one() -> tuple[int, int]:
    """Do one unit."""
    await asyncio.sleep(0.02)
    return work(1)


if os.environ.get("MATRIX_EXPLICIT"):
    telemetry.init()
    telemetry.instrument_fastapi(app)
    if os.environ.get("MATRIX_AT_IMPORT"):  # a master that has counts before it forks
        tell([work(int(os.environ["MATRIX_AT_IMPORT"]))])

if __name__ == "__main__":
    telemetry.init()
    tell(PROGRAMS[sys.argv[1]](int(sys.argv[2])))
    for process in multiprocessing.active_children():
        process.join()
