"""psycopg's sync and async sides asked alike, so that one table of cases serves both."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool, ConnectionPool

Way = Callable[[str], AbstractAsyncContextManager[Any]]


async def settle(value: Any) -> Any:
    """Give the value of a call, awaited where it has to be."""
    return await value if inspect.isawaitable(value) else value


async def drain(rows: Any) -> list[Any]:
    """Read an iterator of either kind to its end."""
    return [row async for row in rows] if hasattr(rows, "__aiter__") else list(rows)


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either kind."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


@asynccontextmanager
async def direct(url: str) -> AsyncIterator[Any]:
    with psycopg.connect(url) as connection:
        yield connection


@asynccontextmanager
async def direct_async(url: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        yield connection


@asynccontextmanager
async def pooled(url: str) -> AsyncIterator[Any]:
    check = ConnectionPool.check_connection
    with ConnectionPool(url, min_size=1, check=check) as pool, pool.connection() as connection:
        yield connection


@asynccontextmanager
async def pooled_async(url: str) -> AsyncIterator[Any]:
    check = AsyncConnectionPool.check_connection
    async with AsyncConnectionPool(url, min_size=1, open=False, check=check) as pool, pool.connection() as connection:
        yield connection


WAYS: dict[str, Way] = {
    "direct": direct,
    "direct async": direct_async,
    "pooled": pooled,
    "pooled async": pooled_async,
}
