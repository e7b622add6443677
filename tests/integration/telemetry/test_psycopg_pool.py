"""A pool's numbers: what is free, who waits and for how long, who got nothing; checks of connections are no queries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg_pool import (
    AsyncConnectionPool,
    AsyncNullConnectionPool,
    ConnectionPool,
    NullConnectionPool,
    PoolTimeout,
    TooManyRequests,
)

import telemetry
from tests.conftest import Recorded
from tests.integration.telemetry.postgres import entered, settle

POOLS: list[type[Any]] = [ConnectionPool, NullConnectionPool, AsyncConnectionPool, AsyncNullConnectionPool]
every_pool = pytest.mark.parametrize("kind", POOLS, ids=[kind.__name__ for kind in POOLS])


@asynccontextmanager
async def pool_of_one(kind: type[Any], url: str, **options: Any) -> AsyncIterator[Any]:
    """Open an instrumented pool with at most one connection, for which nobody waits longer than 50 ms."""
    size = {"min_size": 0} if "Null" in kind.__name__ else {"min_size": 1}
    async with entered(kind(url, open=False, max_size=1, timeout=0.05, **size, **options)) as pool:
        await settle(pool.wait())
        with telemetry.instrument_pool(pool):
            yield pool


@every_pool
async def test_an_exhausted_pool_shows_in_its_metrics(database: str, recorded: Recorded, kind: type[Any]) -> None:
    async with pool_of_one(kind, database) as pool, entered(pool.connection()):
        for _ in range(2):
            with pytest.raises(PoolTimeout):
                await settle(pool.getconn())
        metrics = recorded.metrics()
    assert metrics["db.pool.size"] == {("in_use",): 1}
    assert metrics["db.connections.active"] == metrics["db.pool.max"] == {(): 1}
    assert metrics["db.pool.requests"] == metrics["db.pool.wait"] == {(): 3}
    assert metrics["db.pool.requests.queued"] == metrics["db.pool.requests.errors"] == {(): 2}
    assert metrics["errors"] == {("database", "PoolTimeout"): 2}


async def test_who_waits_is_seen_while_it_waits(database: str, recorded: Recorded) -> None:
    async with pool_of_one(AsyncConnectionPool, database, max_waiting=1) as pool, pool.connection():
        waiting = asyncio.create_task(pool.getconn(timeout=0.2))
        await asyncio.sleep(0.05)
        assert recorded.metrics()["db.pool.requests.waiting"] == {(): 1}
        with pytest.raises(TooManyRequests):
            await pool.getconn()
        with pytest.raises(PoolTimeout):
            await waiting
    assert recorded.metrics()["errors"] == {("database", "TooManyRequests"): 1, ("database", "PoolTimeout"): 1}


def own_check(connection: Any) -> None:
    connection.execute("SELECT 1")


async def own_check_async(connection: Any) -> None:
    await connection.execute("SELECT 1")


CHECKS: dict[str, tuple[type[Any], Callable[..., Any]]] = {
    "psycopg_pool's": (ConnectionPool, ConnectionPool.check_connection),
    "psycopg_pool's, async": (AsyncConnectionPool, AsyncConnectionPool.check_connection),
    "the application's": (ConnectionPool, own_check),
    "the application's, async": (AsyncConnectionPool, own_check_async),
}


@pytest.mark.parametrize(("kind", "check"), CHECKS.values(), ids=CHECKS.keys())
async def test_a_check_of_a_connection_is_no_query(
    database: str, recorded: Recorded, kind: type[Any], check: Callable[..., Any]
) -> None:
    async with pool_of_one(kind, database, check=check) as pool, entered(pool.connection()) as connection:
        await settle(connection.execute("SELECT * FROM foods"))
        await settle(connection.commit())
    assert [span.name for span in recorded.spans] == ["SELECT foods"]
    assert recorded.metrics()["db.query.duration"] == {("select",): 1}


@every_pool
async def test_two_handles_of_a_pool_count_once_and_the_last_one_ends_it(
    database: str, recorded: Recorded, kind: type[Any]
) -> None:
    async with pool_of_one(kind, database) as pool:
        second = telemetry.instrument_pool(pool)
        async with entered(pool.connection()):
            assert recorded.metrics()["db.connections.active"] == {(): 1}
        assert recorded.series()["db.connections.active"] == {(): 0}
        assert recorded.metrics()["db.pool.wait"] == {(): 1}
        second.close()
        second.close()
        assert "db.pool.max" in recorded.metrics()
    assert "db.pool.max" not in recorded.metrics()
    assert "getconn" not in vars(pool)
