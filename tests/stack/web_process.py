"""An API as a process of its own: `python -m tests.stack.web_process PORT`; stops at SIGTERM."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

import telemetry


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Send what is queued at the end: uvicorn ends the process by the signal that stopped it."""
    yield
    await asyncio.to_thread(telemetry.shutdown)


app = FastAPI(lifespan=lifespan)


@app.get("/plain")
async def plain() -> str:
    return "ok"


@app.get("/claimed")
async def claimed() -> str:
    return "ok"


@app.get("/failing")
async def failing() -> None:
    raise ValueError("on purpose")


if __name__ == "__main__":
    telemetry.init(strict=True)
    telemetry.instrument_fastapi(app)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
