"""psycopg 3 and its pool: a span and a duration for each query, slow queries, errors, and the pool's own numbers.

Spans are named by operation and table (`SELECT food_entries`). Metrics: `db_query_duration_seconds`,
`db_slow_queries_total`, `errors_total{component="database"}`; for pools `db_pool_size`, `db_connections_active`. Never
recorded: the statement, its parameters, the server's error message (it quotes values).

The cursor classes' own `execute` and `executemany` are wrapped, so that direct and pooled connections, row factories
and custom cursors are all seen; the pool's check of a connection (an empty statement) is not a query.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from telemetry import catalog
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import count_error
from telemetry.instrumentation._handle import Handle, Shared, patch_all
from telemetry.instrumentation._sql import Statement, statement_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from psycopg_pool import AsyncConnectionPool, ConnectionPool

    AnyPool = ConnectionPool[Any] | AsyncConnectionPool[Any]

__all__ = ["instrument_pool", "instrument_psycopg"]

_starting, _finishing = Guard("start a query's span"), Guard("finish a query")


def instrument_psycopg() -> Handle:
    """Record every query of psycopg 3 in this process; raises `MissingExtraError` without psycopg."""
    require("psycopg", feature="instrument_psycopg", extra="psycopg")
    return _recording.acquire()


def instrument_pool(pool: AnyPool) -> Handle:
    """Record the queries of psycopg, and the size and use of `pool`, sync or async."""
    queries = instrument_psycopg()
    instruments = current().instruments
    instruments.start_at_zero(catalog.DB_SLOW_QUERIES)
    stop_size = instruments.observe(catalog.DB_POOL_SIZE, lambda: _pool_size(pool))
    stop_active = instruments.observe(catalog.DB_CONNECTIONS_ACTIVE, lambda: [(_in_use(pool), {})])
    return Handle(queries.close, stop_size, stop_active)


class QueryObserver:
    """One query under way."""

    __slots__ = ("_span", "_start", "_statement")

    def __init__(self, cursor: Any, statement: Statement) -> None:  # noqa: ANN401 - any of psycopg's cursors
        """Start the span and the clock."""
        self._statement = statement
        self._span: trace.Span = trace.INVALID_SPAN
        self._start = time.perf_counter()
        with _starting:
            tracer = current().tracer
            self._span = tracer.start_span(statement.summary, kind=trace.SpanKind.CLIENT)
            if self._span.is_recording():
                self._span.set_attributes(_attributes(cursor, statement))

    def finish(self, error: BaseException | None = None) -> None:
        """End the span, record the duration, count the error."""
        with _finishing:
            seconds = time.perf_counter() - self._start
            instruments, labels = current().instruments, {"query_type": self._statement.query_type}
            instruments.record(catalog.DB_QUERY_DURATION, seconds, labels)
            if seconds > current().settings.slow_query_seconds:
                instruments.add(catalog.DB_SLOW_QUERIES, 1, labels)
            if isinstance(error, Exception):
                self._fail(error)
            self._span.end()

    def _fail(self, error: Exception) -> None:
        count_error(error, "database")
        self._span.set_status(trace.StatusCode.ERROR, type(error).__name__)
        self._span.set_attribute("error.type", getattr(error, "sqlstate", None) or type(error).__name__)


def _wrap_sync(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_observed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as psycopg's
        statement = statement_of(query)
        if statement is None:
            return execute(cursor, query, *args, **kwargs)
        observer = QueryObserver(cursor, statement)
        try:
            result = execute(cursor, query, *args, **kwargs)
        except BaseException as error:
            observer.finish(error)
            raise
        observer.finish()
        return result

    return execute_observed


def _wrap_async(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def execute_observed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as psycopg's
        statement = statement_of(query)
        if statement is None:
            return await execute(cursor, query, *args, **kwargs)
        observer = QueryObserver(cursor, statement)
        try:
            result = await execute(cursor, query, *args, **kwargs)
        except BaseException as error:
            observer.finish(error)
            raise
        observer.finish()
        return result

    return execute_observed


def _start() -> Callable[[], None]:
    from psycopg import AsyncCursor, AsyncServerCursor, Cursor, ServerCursor  # noqa: PLC0415 - optional package

    return patch_all(
        (Cursor, "execute", _wrap_sync),
        (Cursor, "executemany", _wrap_sync),
        (ServerCursor, "execute", _wrap_sync),
        (AsyncCursor, "execute", _wrap_async),
        (AsyncCursor, "executemany", _wrap_async),
        (AsyncServerCursor, "execute", _wrap_async),
    )


_recording = Shared(_start)


def _attributes(cursor: Any, statement: Statement) -> dict[str, str | int]:  # noqa: ANN401 - any of psycopg's cursors
    info = cursor.connection.info
    attributes: dict[str, str | int] = {
        "db.system.name": "postgresql",
        "db.namespace": info.dbname,
        "db.operation.name": statement.operation,
        "db.query.summary": statement.summary,
        "server.address": info.host,
        "server.port": info.port,
    }
    return attributes | ({"db.collection.name": statement.table} if statement.table else {})


def _pool_size(pool: AnyPool) -> list[tuple[float, dict[str, str]]]:
    stats = pool.get_stats()
    available = stats.get("pool_available", 0)
    return [(available, {"state": "available"}), (stats.get("pool_size", 0) - available, {"state": "in_use"})]


def _in_use(pool: AnyPool) -> float:
    return sum(count for count, labels in _pool_size(pool) if labels["state"] == "in_use")
