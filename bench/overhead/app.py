"""The application that is measured: a few routes, and ten more before them, as a grown application has.

`python -m bench.overhead.app VARIANT PORT` serves it with one uvicorn worker, and collects all garbage when it is sent
SIGUSR1. What the variant adds is in `bench.overhead.variants`; the application itself knows nothing of it.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn
from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool

from bench.overhead.bot import Bot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["create_app"]

OTHER_ROUTES = 10
POOL_SIZE = 3
"""Of each variant; all of them together stay below PostgreSQL's hundred connections."""
FOOD = "SELECT id, name, kcal FROM foods WHERE id = %s"
EATEN = "INSERT INTO entries (food, grams) VALUES (%s, %s)"
TODAY = "SELECT count(*), sum(grams) FROM entries WHERE food = %s"


def create_pool() -> AsyncConnectionPool[Any]:
    """Return the pool, not yet open: the variant may want to see it first."""
    return AsyncConnectionPool(os.environ["DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE, open=False)


def create_app(pool: AsyncConnectionPool[Any], bot: Bot) -> FastAPI:
    """Return the application, whose lifespan opens the pool."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await pool.open(wait=True)
        async with bot.application:
            yield
        await pool.close()

    app = FastAPI(lifespan=lifespan)
    for number in range(OTHER_ROUTES):
        app.get(f"/other/{number}/{{item}}")(_other)

    @app.get("/json/{item}")
    async def json_only(item: int) -> dict[str, Any]:
        return {"id": item, "name": "apple", "kcal": 52, "tags": ["fruit", "fresh"]}

    @app.get("/foods/{food}")
    async def one_select(food: int) -> dict[str, Any]:
        async with pool.connection() as connection:
            row = await (await connection.execute(FOOD, (food,))).fetchone()
        return {"food": row}

    @app.post("/entries/{food}")
    async def insert_and_select(food: int) -> dict[str, Any]:
        async with pool.connection() as connection:
            await connection.execute(EATEN, (food, 150))
            row = await (await connection.execute(TODAY, (food,))).fetchone()
        return {"today": row}

    @app.get("/fails/{item}")
    async def fails(item: int) -> dict[str, Any]:
        raise ValueError(f"no item {item}")

    @app.post("/webhook/{content}")
    async def webhook(content: str) -> dict[str, Any]:
        await bot.take(content)
        return {}

    return app


async def _other(item: int) -> int:
    return item


def main() -> None:
    """Serve until SIGTERM."""
    from bench.overhead.variants import VARIANTS  # noqa: PLC0415 - a peer must be started before FastAPI's use

    if os.environ.get("BENCH_GC") == "off":  # where instructions are counted
        gc.disable()
    signal.signal(signal.SIGUSR1, lambda *_: gc.collect())
    variant, port = VARIANTS[sys.argv[1]], int(sys.argv[2])
    pool, bot = create_pool(), Bot()
    app = variant.instrument(lambda: create_app(pool, bot), pool, bot)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
