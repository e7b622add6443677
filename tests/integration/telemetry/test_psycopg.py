"""Queries on a real PostgreSQL: one span and one duration each, however they are asked; the pool's own numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from opentelemetry.trace import SpanKind, StatusCode
from psycopg import sql
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

import telemetry
from tests.conftest import Recorded

CREATE = "CREATE TABLE IF NOT EXISTS foods (id int PRIMARY KEY, name text)"


@pytest.fixture
def connection(database: str, recorded: Recorded) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database) as connection, telemetry.instrument_psycopg():
        yield connection


QUERIES: dict[str, tuple[Callable[[psycopg.Connection[Any]], object], str, str]] = {
    "connection.execute": (
        lambda c: c.execute("SELECT * FROM foods WHERE name = %s", ["secret"]),
        "SELECT foods",
        "select",
    ),
    "cursor.execute": (lambda c: c.cursor().execute("SELECT 'secret' FROM foods"), "SELECT foods", "select"),
    "executemany": (
        lambda c: c.cursor().executemany("UPDATE foods SET name = %s", [["secret"], ["b"]]),
        "UPDATE foods",
        "update",
    ),
    "row factory": (lambda c: c.cursor(row_factory=dict_row).execute("SELECT 1 AS n"), "SELECT", "select"),
    "server cursor": (lambda c: c.cursor("named").execute("SELECT * FROM foods").close(), "SELECT foods", "select"),
    "composed": (
        lambda c: c.execute(sql.SQL("DELETE FROM foods WHERE name = {}").format(sql.Literal("secret"))),
        "DELETE foods",
        "delete",
    ),
    "client cursor": (
        lambda c: psycopg.ClientCursor(c).execute(
            "INSERT INTO foods VALUES (%s, %s) ON CONFLICT DO NOTHING", [1, "secret"]
        ),
        "INSERT foods",
        "insert",
    ),
    "create": (lambda c: c.execute(CREATE), "CREATE foods", "other"),
}


@pytest.mark.parametrize(("ask", "name", "query_type"), QUERIES.values(), ids=QUERIES.keys())
def test_a_query_is_one_span_and_one_duration(
    connection: psycopg.Connection[Any], recorded: Recorded, ask: Callable[..., object], name: str, query_type: str
) -> None:
    ask(connection)
    (span,) = recorded.spans
    assert (span.name, span.kind) == (name, SpanKind.CLIENT)
    assert recorded.metrics()["db.query.duration"] == {(query_type,): 1}
    assert "secret" not in span.to_json()


def test_a_failing_query_is_an_error_of_the_database_without_its_message(
    connection: psycopg.Connection[Any], recorded: Recorded
) -> None:
    connection.execute("INSERT INTO foods VALUES (7, 'a') ON CONFLICT DO NOTHING")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO foods VALUES (7, 'secret')")
    failed = recorded.spans[-1]
    assert failed.status.status_code is StatusCode.ERROR
    assert dict(failed.attributes or {})["error.type"] == "23505"
    assert "secret" not in failed.to_json()
    assert recorded.metrics()["errors"] == {("database", "UniqueViolation"): 1}


def test_a_slow_query_is_counted(connection: psycopg.Connection[Any], recorded: Recorded) -> None:
    connection.execute("SELECT 1")
    assert "db.slow.queries" not in recorded.metrics()
    connection.execute("SELECT pg_sleep(0.15)")
    assert recorded.metrics()["db.slow.queries"] == {("select",): 1}


async def test_an_async_pool_is_measured_and_its_check_is_no_query(database: str, recorded: Recorded) -> None:
    check = AsyncConnectionPool.check_connection
    async with AsyncConnectionPool(database, min_size=3, max_size=3, open=False, check=check) as pool:
        await pool.wait()
        with telemetry.instrument_pool(pool):
            async with pool.connection() as connection:
                await connection.execute("SELECT * FROM foods")
                metrics = recorded.metrics()
                assert metrics["db.pool.size"] == {("available",): 2, ("in_use",): 1}
                assert metrics["db.connections.active"] == {(): 1}
    assert [span.name for span in recorded.spans] == ["SELECT foods"]


def test_a_sync_pool_is_measured(database: str, recorded: Recorded) -> None:
    with ConnectionPool(database, min_size=2, max_size=2) as pool:
        pool.wait()
        with telemetry.instrument_pool(pool), pool.connection() as connection:
            connection.execute("SELECT 1")
            assert recorded.metrics()["db.pool.size"] == {("available",): 1, ("in_use",): 1}


def test_closed_it_records_nothing_and_a_second_user_keeps_it(database: str, recorded: Recorded) -> None:
    first, second = telemetry.instrument_psycopg(), telemetry.instrument_psycopg()
    first.close()
    first.close()
    with psycopg.connect(database) as connection:
        connection.execute("SELECT 1")
        assert len(recorded.spans) == 1
        second.close()
        connection.execute("SELECT 1")
        assert len(recorded.spans) == 1
