"""Queries of psycopg's pipeline mode: sent now, answered later, in the same order.

A query ends when psycopg has read its answer, which is when a failure shows: at a fetch, a `sync()`, the end of the
pipeline or any later `execute`. `BasePipeline._process_results` is the one place where an answer meets its cursor;
psycopg has no public one. https://github.com/psycopg/psycopg/blob/3.3.9/psycopg/psycopg/_pipeline_base.py
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from telemetry._guard import Guard
from telemetry.instrumentation._queries import QueryObserver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from telemetry.instrumentation._sql import Statement

__all__ = ["PipelinedQuery", "wrap_exit", "wrap_exit_async", "wrap_results"]

_answering = Guard("finish a query of a pipeline")


class PipelinedQuery(QueryObserver):
    """A query that is only sent when its block is left."""

    __slots__ = ("_waiting", "answers_due", "sent")

    def __init__(self, connection: Any, statement: Statement) -> None:  # noqa: ANN401 - sync or async
        """Start the span and the clock."""
        super().__init__(connection, statement)
        self._waiting = _of_connection.setdefault(connection, _Waiting())
        self.answers_due = 1
        self.sent = False
        self._waiting.queries.append(self)

    def leave(self, error: BaseException | None = None) -> None:
        """Wait for the answer, which comes later."""
        with _answering:
            self.sent = True
            if error is not None and error not in self._waiting.failures:
                self._waiting.queries.remove(self)
                self.finish(error)
            self._waiting.finish_answered()

    def counting(self, parameters: Iterable[Any]) -> Iterator[Any]:
        """Expect an answer for each set of parameters of an `executemany`."""
        self.answers_due = 0
        for found in parameters:
            self.answers_due += 1
            yield found


class _Waiting:
    """The queries of one connection whose answers have not come, and the failures among those that have."""

    def __init__(self) -> None:
        self.queries: deque[PipelinedQuery] = deque()
        self.failures: list[BaseException] = []

    def answered(self, error: BaseException | None, *, query: bool) -> None:
        """Take an answer; one that is no query's prepares the next query, and fails instead of it."""
        if error is not None:
            self.failures.append(error)
            self.queries[0].finish(error)
        self.queries[0].answers_due -= query
        self.finish_answered()

    def finish_answered(self) -> None:
        while self.queries and self.queries[0].sent and self.queries[0].answers_due <= 0:
            self.queries.popleft().finish()


_of_connection: WeakKeyDictionary[Any, _Waiting] = WeakKeyDictionary()


def wrap_results(process: Callable[..., None]) -> Callable[..., None]:
    """Wrap what gives an answer to the cursor that asked."""

    def process_observed(pipeline: Any, queued: Any, results: Any) -> None:  # noqa: ANN401 - as psycopg's
        failure: BaseException | None = None
        try:
            process(pipeline, queued, results)
        except Exception as error:
            failure = error
            raise
        finally:
            with _answering:
                waiting = _of_connection.get(_connection_of(pipeline))
                if waiting is not None and waiting.queries:
                    waiting.answered(failure, query=queued is not None)

    return process_observed


def wrap_exit(leave: Callable[..., None]) -> Callable[..., None]:
    """Wrap a pipeline's end: what has no answer by then gets none."""

    def leave_observed(pipeline: Any, *raised: Any) -> None:  # noqa: ANN401 - as psycopg's
        with _Ending(pipeline):
            leave(pipeline, *raised)

    return leave_observed


def wrap_exit_async(leave: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Wrap an asynchronous pipeline's end."""

    async def leave_observed(pipeline: Any, *raised: Any) -> None:  # noqa: ANN401 - as psycopg's
        with _Ending(pipeline):
            await leave(pipeline, *raised)

    return leave_observed


class _Ending:
    """Ends what a pipeline has left open."""

    def __init__(self, pipeline: Any) -> None:  # noqa: ANN401 - sync or async
        self._connection = _connection_of(pipeline)

    def __enter__(self) -> None:
        """Let psycopg read the answers."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        with _answering:
            waiting = _of_connection.pop(self._connection, None)
            for query in waiting.queries if waiting else ():
                query.finish(error)


def _connection_of(pipeline: Any) -> Any:  # noqa: ANN401 - sync or async
    return pipeline._conn  # noqa: SLF001 - see the module's docstring
