"""One query under way: its span, the time the database had it, how it ended.

A query's span is never made the current one, so nothing is held across a `yield` or a task, wherever it ends.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import trace

from telemetry import catalog
from telemetry._current_entry import current_entry
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import count_error
from telemetry.instrumentation._sql import Statement

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["NOT_OBSERVED", "NotObserved", "QueryObserver", "record_fetch", "within_pool"]

within_pool: ContextVar[bool] = ContextVar("telemetry_within_pool", default=False)
"""Whether a pool checks a connection: what it asks for that is no query of the application."""

_FETCH = Statement("FETCH")
_NANOSECONDS = 1e9
_SERVER = "_telemetry_server"
"""Set on a connection."""
_starting, _finishing = Guard("start a query's span"), Guard("finish a query")


class NotObserved:
    """Stands for a query that is not recorded: empty, or within OpenTelemetry's `suppress_instrumentation`."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave(error)

    def leave(self, error: BaseException | None = None) -> None:
        """Do nothing."""

    def pause(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""


NOT_OBSERVED = NotObserved()


class QueryObserver(NotObserved):
    """A query; a context manager that ends it once, whatever leaves the block, as `leave` does without one."""

    __slots__ = ("_running_since", "_seconds", "_span", "_statement")

    def __init__(self, connection: Any, statement: Statement, started: int | None = None) -> None:  # noqa: ANN401 - sync or async
        """Start the span and the clock, now or at `started` (nanoseconds since 1970)."""
        self._statement: Statement | None = statement
        self._span: trace.Span = trace.INVALID_SPAN
        self._seconds = 0.0
        self._running_since: float | None = time.perf_counter()
        if started is not None:
            self._seconds = (time.time_ns() - started) / _NANOSECONDS
        entry = current_entry.get()
        if entry is None or entry.recorded:  # else there is none: most queries, and to ask for the span takes longer
            try:
                self._start_span(connection, statement, started)
            except Exception as error:  # noqa: BLE001 - the guard's own kind
                _starting.caught(error)

    def _start_span(self, connection: Any, statement: Statement, started: int | None) -> None:  # noqa: ANN401 - sync or async
        tracer = current().tracer
        self._span = tracer.start_span(statement.summary, kind=trace.SpanKind.CLIENT, start_time=started)
        if self._span.is_recording():
            self._span.set_attributes({**statement.attributes, **_server(connection)})

    def pause(self) -> None:
        """Stop the clock while the application has the row."""
        if self._running_since is not None:
            self._seconds += time.perf_counter() - self._running_since
            self._running_since = None

    def resume(self) -> None:
        """Go on."""
        self._running_since = time.perf_counter()

    def finish(self, error: BaseException | None = None) -> None:
        """End the span, record the duration, count the error; only the first call does anything.

        A query that the application gave up (cancelled, a generator closed) is no error; one that was never run,
        because an earlier one of its pipeline failed, is not measured.
        """
        statement, self._statement = self._statement, None
        if statement is None:
            return
        try:
            self.pause()
            if self._span is not trace.INVALID_SPAN:
                self._end_span(error)
            if type(error).__name__ != "PipelineAborted":
                self._measure(statement, error)
        except Exception as failure:  # noqa: BLE001 - the guard's own kind
            _finishing.caught(failure)

    leave = finish

    def _end_span(self, error: BaseException | None) -> None:
        if isinstance(error, Exception):
            self._span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            self._span.set_attribute("error.type", getattr(error, "sqlstate", None) or type(error).__name__)
        self._span.end()

    def _measure(self, statement: Statement, error: BaseException | None) -> None:
        if error is not None and _is_of_database(error):
            count_error(error, "database")
        runtime = current()
        runtime.instruments.record(catalog.DB_QUERY_DURATION, self._seconds, statement.labels)
        if self._seconds > runtime.settings.slow_query_seconds:
            runtime.instruments.add(catalog.DB_SLOW_QUERIES, 1, statement.labels)


def record_fetch(cursor: Any, started: int, error: BaseException | None = None) -> None:  # noqa: ANN401 - sync or async
    """Record a fetch of a server-side cursor that was slow or failed in the database; `started` in nanoseconds."""
    with _finishing:
        failed = error is not None and _is_of_database(error)
        seconds = (time.time_ns() - started) / _NANOSECONDS
        if failed or (error is None and seconds > current().settings.slow_query_seconds):
            QueryObserver(cursor.connection, _FETCH, started).finish(error)


def _is_of_database(error: BaseException) -> bool:
    """Tell psycopg's errors from those that the application raised in the middle of a query, as in `with copy()`."""
    return hasattr(error, "sqlstate")


def _server(connection: Any) -> dict[str, str | int]:  # noqa: ANN401 - sync or async
    """Return what tells the server; it stays the same for a connection, and each field is a call into libpq."""
    found: dict[str, str | int] | None = vars(connection).get(_SERVER)
    if found is None:
        if connection.closed:
            return {}
        info = connection.info
        found = {"db.namespace": info.dbname, "server.address": info.host, "server.port": info.port}
        setattr(connection, _SERVER, found)
    return found
