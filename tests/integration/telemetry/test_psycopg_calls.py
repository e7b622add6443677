"""Every way to ask PostgreSQL something is one span and one duration: connection, cursor and call, sync and async."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import psycopg
import pytest
from opentelemetry.trace import SpanKind
from psycopg.rows import dict_row

import telemetry
from tests.conftest import Recorded
from tests.integration.telemetry.postgres import WAYS, Way, drain, entered, settle


@pytest.fixture(autouse=True)
def instrumented(recorded: Recorded) -> Iterator[None]:
    with telemetry.instrument_psycopg():
        yield


class Custom(psycopg.Cursor[Any]):
    def execute(self, *args: Any, **kwargs: Any) -> Any:
        return super().execute(*args, **kwargs)


class CustomAsync(psycopg.AsyncCursor[Any]):
    async def execute(self, *args: Any, **kwargs: Any) -> Any:
        return await super().execute(*args, **kwargs)


@dataclass(frozen=True)
class Kind:
    """A sort of cursor, with its async twin and how it marks a parameter."""

    cursor: Callable[..., Any]
    cursor_async: Callable[..., Any]
    mark: str = "%s"
    arguments: dict[str, Any] = field(default_factory=dict)

    def of(self, connection: Any) -> Any:
        is_async = isinstance(connection, psycopg.AsyncConnection)
        return (self.cursor_async if is_async else self.cursor)(connection, **self.arguments)


KINDS = {
    "plain": Kind(psycopg.Cursor, psycopg.AsyncCursor),
    "dict rows": Kind(psycopg.Cursor, psycopg.AsyncCursor, arguments={"row_factory": dict_row}),
    "client-side": Kind(psycopg.ClientCursor, psycopg.AsyncClientCursor),
    "raw": Kind(psycopg.RawCursor, psycopg.AsyncRawCursor, "$1"),
    "subclass": Kind(Custom, CustomAsync),
}
SERVER_KINDS = {
    "server-side": Kind(psycopg.ServerCursor, psycopg.AsyncServerCursor, arguments={"name": "c"}),
    "raw server-side": Kind(psycopg.RawServerCursor, psycopg.AsyncRawServerCursor, "$1", {"name": "c"}),
}


async def connection_execute(cursor: Any, mark: str) -> None:
    connection = cursor.connection
    connection.cursor_factory = type(cursor)
    await settle(connection.execute("SELECT * FROM foods WHERE name = ?".replace("?", mark), ["secret"]))


async def execute(cursor: Any, mark: str) -> None:
    await settle(cursor.execute("SELECT * FROM foods WHERE name = ?".replace("?", mark), ["secret"]))
    await settle(cursor.fetchall())


async def executemany(cursor: Any, mark: str) -> None:
    await settle(
        cursor.executemany("UPDATE foods SET name = 'secret' WHERE name = ?".replace("?", mark), [["secret"], ["b"]])
    )


async def stream(cursor: Any, mark: str) -> None:
    await drain(
        cursor.stream("SELECT 'secret', i FROM generate_series(1, 3) i WHERE i::text <> ?".replace("?", mark), ["2"])
    )


async def copy_out(cursor: Any, mark: str) -> None:
    async with entered(cursor.copy("COPY (SELECT * FROM foods WHERE name = 'secret') TO STDOUT")) as copy:
        await drain(copy)


async def copy_in(cursor: Any, mark: str) -> None:
    async with entered(cursor.copy("COPY foods (id, name) FROM STDIN")) as copy:
        await settle(copy.write_row((99, "secret")))
    await settle(cursor.connection.rollback())


async def pipeline(cursor: Any, mark: str) -> None:
    async with entered(cursor.connection.pipeline()):
        await settle(cursor.execute("DELETE FROM foods WHERE name = ?".replace("?", mark), ["secret"]))


async def pipeline_many(cursor: Any, mark: str) -> None:
    async with entered(cursor.connection.pipeline()):
        await settle(
            cursor.executemany("DELETE FROM foods WHERE name = ?".replace("?", mark), [["secret"], ["b"], ["c"]])
        )


CALLS: dict[Callable[[Any, str], Awaitable[None]], tuple[str, str]] = {
    connection_execute: ("SELECT foods", "select"),
    execute: ("SELECT foods", "select"),
    executemany: ("UPDATE foods", "update"),
    stream: ("SELECT", "select"),
    copy_out: ("COPY foods", "other"),
    copy_in: ("COPY foods", "other"),
    pipeline: ("DELETE foods", "delete"),
    pipeline_many: ("DELETE foods", "delete"),
}


class Case(NamedTuple):
    way: Way
    kind: Kind
    call: Callable[[Any, str], Awaitable[None]]
    expected: tuple[str, str]


CASES = {
    f"{way}, {kind}, {call.__name__}": Case(WAYS[way], kinds[kind], call, expected)
    for way in WAYS
    for kinds, calls in ((KINDS, CALLS), (SERVER_KINDS, {execute: CALLS[execute]}))
    for kind in kinds
    for call, expected in calls.items()
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_call_is_one_span_and_one_duration(database: str, recorded: Recorded, case: Case) -> None:
    async with case.way(database) as connection:
        async with entered(case.kind.of(connection)) as cursor:
            await case.call(cursor, case.kind.mark)
    (span,) = recorded.spans
    name, query_type = case.expected
    assert (span.name, span.kind) == (name, SpanKind.CLIENT)
    assert recorded.metrics()["db.query.duration"] == {(query_type,): 1}
    assert "secret" not in span.to_json()
