"""A pool's own numbers: what psycopg_pool counts (`get_stats`), and how long each request waited for a connection.

The statistics tell only the sum of the waits, in whole milliseconds; a percentile needs each of them, so `getconn` of
the pool is timed, too. What the pool asks to check a connection, by whichever function, is not recorded
(`within_pool`). A request that got no connection is an error of the database.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from telemetry import catalog
from telemetry._runtime import current
from telemetry.context import count_error
from telemetry.instrumentation._handle import Handle, Shared
from telemetry.instrumentation._queries import within_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    from telemetry.catalog import Metric

    Source = Callable[[], list[tuple[float, dict[str, str]]]]
    AnyPool = ConnectionPool[Any] | AsyncConnectionPool[Any]

__all__ = ["AnyPool", "watch_pool"]

_STATISTICS = {
    catalog.DB_POOL_MAX: "pool_max",
    catalog.DB_POOL_REQUESTS: "requests_num",
    catalog.DB_POOL_REQUESTS_QUEUED: "requests_queued",
    catalog.DB_POOL_REQUESTS_ERRORS: "requests_errors",
    catalog.DB_POOL_REQUESTS_WAITING: "requests_waiting",
    catalog.DB_POOL_CONNECTIONS_ERRORS: "connections_errors",
    catalog.DB_POOL_CONNECTIONS_LOST: "connections_lost",
}
_CHECK = "_check"
"""The field of a pool with what it was told to check a connection with."""
_watched: dict[AnyPool, Shared] = {}
_inherited: set[AnyPool] = set()
"""Pools that were open when this process was forked: their connections, and all they count, are the parent's."""


def _inherit() -> None:
    _inherited.update(pool for pool in _watched if not pool.closed)


os.register_at_fork(after_in_child=_inherit)


def watch_pool(pool: AnyPool) -> Handle:
    """Report a pool's numbers until the handle is closed; once, however often it is asked for."""
    return _watched.setdefault(pool, Shared(lambda: _start(pool))).acquire()


def _start(pool: AnyPool) -> Callable[[], None]:

    def observe(metric: Metric, source: Source) -> Callable[[], None]:
        return current().instruments.observe(metric, lambda: [] if pool in _inherited else source())

    stops = [
        _time_requests(pool),
        _keep_checks_quiet(pool),
        observe(catalog.DB_POOL_SIZE, lambda: _size(pool)),
        observe(catalog.DB_CONNECTIONS_ACTIVE, lambda: [(_in_use(pool.get_stats()), {})]),
        *(observe(metric, _statistic(pool, key)) for metric, key in _STATISTICS.items()),
    ]

    def forget() -> None:
        del _watched[pool]

    return Handle(forget, *stops).close


def _statistic(pool: AnyPool, key: str) -> Callable[[], list[tuple[float, dict[str, str]]]]:
    return lambda: [(pool.get_stats().get(key, 0), {})]


def _size(pool: AnyPool) -> list[tuple[float, dict[str, str]]]:
    stats = pool.get_stats()
    return [(stats["pool_available"], {"state": "available"}), (_in_use(stats), {"state": "in_use"})]


def _in_use(stats: dict[str, int]) -> float:
    return stats["pool_size"] - stats["pool_available"]


def _time_requests(pool: Any) -> Callable[[], None]:  # noqa: ANN401 - a method of an instance is replaced
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 - optional package

    original = pool.getconn

    def getconn(timeout: float | None = None) -> Any:  # noqa: ANN401 - as psycopg_pool's
        start = time.perf_counter()
        try:
            return original(timeout)
        except Exception as error:
            count_error(error, "database")
            raise
        finally:
            _record_wait(start)

    async def getconn_async(timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 - as psycopg_pool's
        start = time.perf_counter()
        try:
            return await original(timeout)
        except Exception as error:
            count_error(error, "database")
            raise
        finally:
            _record_wait(start)

    wrapped = getconn if isinstance(pool, ConnectionPool) else getconn_async
    pool.getconn = wrapped

    def undo() -> None:
        if pool.getconn is wrapped:
            del pool.getconn

    return undo


def _record_wait(start: float) -> None:
    current().instruments.record(catalog.DB_POOL_WAIT, time.perf_counter() - start)


def _keep_checks_quiet(pool: Any) -> Callable[[], None]:  # noqa: ANN401 - a field of an instance is replaced
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 - optional package

    original = vars(pool).get(_CHECK)
    if original is None:
        return lambda: None

    def check(connection: Any) -> Any:  # noqa: ANN401 - as psycopg_pool's
        with _is_pools():
            return original(connection)

    async def check_async(connection: Any) -> None:  # noqa: ANN401 - as psycopg_pool's
        with _is_pools():
            await original(connection)

    wrapped = check if isinstance(pool, ConnectionPool) else check_async
    setattr(pool, _CHECK, wrapped)

    def undo() -> None:
        if vars(pool)[_CHECK] is wrapped:
            setattr(pool, _CHECK, original)

    return undo


@contextmanager
def _is_pools() -> Iterator[None]:
    """Let what is asked in the block be no query of the application."""
    token = within_pool.set(True)
    try:
        yield
    finally:
        within_pool.reset(token)
