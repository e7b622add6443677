"""psycopg 3 and its pool: a span and a duration for each query, slow queries, errors, and the pool's own numbers.

Spans are named by operation and table (`SELECT food_entries`). Metrics: `db_query_duration_seconds`,
`db_slow_queries_total`, `errors_total{component="database"}`; for pools `db_pool_*`, `db_connections_active`. Never
recorded: the statement, its parameters, the server's error message (it quotes values).

Wrapped are the cursor classes' own methods, so that direct and pooled connections, row factories, custom cursors and
`connection.execute` are all seen, once. A `stream()` counts the time the database had, not the reader's; a `copy()` its
whole block; a query in a pipeline until its answer is read. A server-side cursor is one span when it is opened; a fetch
from it leaves one (`FETCH`) only when it is slow or fails. An empty statement is no query.
"""

from __future__ import annotations

import time
from contextlib import aclosing, asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from telemetry import catalog
from telemetry._extras import require
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry._suppression import is_suppressed
from telemetry.instrumentation._handle import Handle, Shared, patch_all
from telemetry.instrumentation._pipelines import PipelinedQuery, wrap_exit, wrap_exit_async, wrap_results
from telemetry.instrumentation._pool import watch_pool
from telemetry.instrumentation._queries import NOT_OBSERVED, NotObserved, QueryObserver, record_fetch, within_pool
from telemetry.instrumentation._sql import statement_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from telemetry.instrumentation._pool import AnyPool

__all__ = ["instrument_pool", "instrument_psycopg"]

_reading = Guard("read a query")


def instrument_psycopg() -> Handle:
    """Record every query of psycopg 3 in this process; raises `MissingExtraError` without psycopg."""
    require("psycopg", feature="instrument_psycopg", extra="psycopg")
    return _recording.acquire()


def instrument_pool(pool: AnyPool) -> Handle:
    """Record the queries of psycopg, and the size, use and waits of `pool`, sync or async."""
    queries = instrument_psycopg()
    current().instruments.start_at_zero(catalog.DB_SLOW_QUERIES)
    return Handle(queries.close, watch_pool(pool).close)


def _observe(cursor: Any, query: object) -> NotObserved:  # noqa: ANN401 - any of psycopg's cursors
    try:
        if within_pool.get() or current().is_off or is_suppressed() or (statement := statement_of(query)) is None:
            return NOT_OBSERVED
        connection = cursor.connection
        kind = PipelinedQuery if connection.pgconn.pipeline_status else QueryObserver
        return kind(connection, statement)
    except Exception as error:  # noqa: BLE001 - the guard's own kind
        _reading.caught(error)
    return NOT_OBSERVED


def _wrap_execute(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_observed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as psycopg's
        observer = _observe(cursor, query)  # no `with`, here and below: two calls more for each query
        try:
            executed = execute(cursor, query, *args, **kwargs)
        except BaseException as error:
            observer.leave(error)
            raise
        observer.leave()
        return executed

    return execute_observed


def _wrap_execute_async(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def execute_observed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as psycopg's
        observer = _observe(cursor, query)
        try:
            executed = await execute(cursor, query, *args, **kwargs)
        except BaseException as error:
            observer.leave(error)
            raise
        observer.leave()
        return executed

    return execute_observed


def _wrap_many(execute: Callable[..., Any]) -> Callable[..., Any]:
    def execute_observed(cursor: Any, query: Any, params_seq: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as psycopg's
        with _observe(cursor, query) as observer:
            return execute(cursor, query, _counted(observer, params_seq), **kwargs)

    return execute_observed


def _wrap_many_async(execute: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def execute_observed(cursor: Any, query: Any, params_seq: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as psycopg's
        with _observe(cursor, query) as observer:
            return await execute(cursor, query, _counted(observer, params_seq), **kwargs)

    return execute_observed


def _counted(observer: NotObserved, params_seq: Any) -> Any:  # noqa: ANN401 - as psycopg's
    return observer.counting(params_seq) if isinstance(observer, PipelinedQuery) else params_seq


def _wrap_stream(stream: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    def stream_observed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:  # noqa: ANN401 - as psycopg's
        with _observe(cursor, query) as observer, closing(stream(cursor, query, *args, **kwargs)) as rows:
            for row in rows:
                observer.pause()
                yield row
                observer.resume()

    return stream_observed


def _wrap_stream_async(stream: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
    async def stream_observed(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - as psycopg's
        with _observe(cursor, query) as observer:
            async with aclosing(stream(cursor, query, *args, **kwargs)) as rows:
                async for row in rows:
                    observer.pause()
                    yield row
                    observer.resume()

    return stream_observed


def _wrap_copy(copy: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def copy_observed(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:  # noqa: ANN401 - as psycopg's
        with _observe(cursor, statement), copy(cursor, statement, *args, **kwargs) as copying:
            yield copying

    return copy_observed


def _wrap_copy_async(copy: Callable[..., Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def copy_observed(cursor: Any, statement: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - as psycopg's
        with _observe(cursor, statement):
            async with copy(cursor, statement, *args, **kwargs) as copying:
                yield copying

    return copy_observed


def _wrap_fetch(fetch: Callable[..., Any]) -> Callable[..., Any]:
    def fetch_observed(cursor: Any, *args: Any) -> Any:  # noqa: ANN401 - as psycopg's
        started = time.time_ns()
        try:
            rows = fetch(cursor, *args)
        except BaseException as error:
            record_fetch(cursor, started, error)
            raise
        record_fetch(cursor, started)
        return rows

    return fetch_observed


def _wrap_fetch_async(fetch: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    async def fetch_observed(cursor: Any, *args: Any) -> Any:  # noqa: ANN401 - as psycopg's
        started = time.time_ns()
        try:
            rows = await fetch(cursor, *args)
        except BaseException as error:
            record_fetch(cursor, started, error)
            raise
        record_fetch(cursor, started)
        return rows

    return fetch_observed


def _start() -> Callable[[], None]:
    import psycopg  # noqa: PLC0415 - optional package
    from psycopg._pipeline_base import BasePipeline  # noqa: PLC0415

    cursor, server = psycopg.Cursor, psycopg.ServerCursor
    acursor, aserver = psycopg.AsyncCursor, psycopg.AsyncServerCursor
    return patch_all(
        *((owner, "execute", _wrap_execute) for owner in (cursor, server)),
        *((owner, "execute", _wrap_execute_async) for owner in (acursor, aserver)),
        (cursor, "executemany", _wrap_many),
        (acursor, "executemany", _wrap_many_async),
        (cursor, "stream", _wrap_stream),
        (acursor, "stream", _wrap_stream_async),
        (cursor, "copy", _wrap_copy),
        (acursor, "copy", _wrap_copy_async),
        *((server, name, _wrap_fetch) for name in ("fetchone", "fetchmany", "fetchall", "__next__")),
        *((aserver, name, _wrap_fetch_async) for name in ("fetchone", "fetchmany", "fetchall", "__anext__")),
        (BasePipeline, "_process_results", wrap_results),
        (psycopg.Pipeline, "__exit__", wrap_exit),
        (psycopg.AsyncPipeline, "__aexit__", wrap_exit_async),
    )


_recording = Shared(_start)
