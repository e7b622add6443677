"""What a query leaves behind: a name, attributes, a duration, an error; never its text or what the server says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from opentelemetry.trace import StatusCode
from psycopg import sql

import telemetry
from tests.conftest import Recorded


@pytest.fixture
def connection(database: str, recorded: Recorded) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database) as connection, telemetry.instrument_psycopg():
        yield connection


TEXTS: dict[str, tuple[Any, str, str]] = {
    "a literal": ("SELECT 'secret' FROM foods", "SELECT foods", "select"),
    "an escaped literal": ("SELECT E'it\\'s from secret' FROM foods", "SELECT foods", "select"),
    "a dollar quote": ("SELECT $x$ from secret $x$ FROM foods", "SELECT foods", "select"),
    "a nested comment": ("/* from /* secret */ */ DELETE FROM foods -- from secret", "DELETE foods", "delete"),
    "bytes": (b"UPDATE foods SET name = 'secret'", "UPDATE foods", "update"),
    "composed": (
        sql.SQL("DELETE FROM {} WHERE name = {}").format(sql.Identifier("foods"), sql.Literal("secret")),
        "DELETE foods",
        "delete",
    ),
    "a common table expression": (
        "WITH secret AS (SELECT 'secret' AS name) INSERT INTO foods SELECT 77, name FROM secret",
        "INSERT foods",
        "insert",
    ),
    "a column alias": ('SELECT 1 AS "from secret"', "SELECT", "select"),
    "two statements": ("SELECT 1; SELECT 'secret'", "SELECT", "select"),
    "a function's body": ("DO $$ BEGIN PERFORM 'secret'; END $$", "DO", "other"),
}


@pytest.mark.parametrize(("query", "name", "query_type"), TEXTS.values(), ids=TEXTS.keys())
def test_a_statements_text_does_not_leave(
    connection: psycopg.Connection[Any], recorded: Recorded, query: Any, name: str, query_type: str
) -> None:
    connection.execute(query)
    connection.rollback()
    (span,) = recorded.spans
    assert span.name == name
    assert recorded.metrics()["db.query.duration"] == {(query_type,): 1}
    assert "secret" not in span.to_json()


@pytest.mark.parametrize(
    "query",
    ["hunter2 is not a command", "SELECT 'secret", "SELECT $x$ from secret", 'SELECT "secret', "SELECT /* from secret"],
)
def test_what_is_no_sql_is_not_named_after_its_text(
    connection: psycopg.Connection[Any], recorded: Recorded, query: Any
) -> None:
    with pytest.raises(psycopg.Error):
        connection.execute(query)
    (span,) = recorded.spans
    assert span.name in ("QUERY", "SELECT")
    assert not any(word in span.to_json().lower() for word in ("secret", "hunter2"))


def test_a_span_tells_the_database_the_operation_and_the_table(
    connection: psycopg.Connection[Any], recorded: Recorded
) -> None:
    connection.execute("SELECT * FROM foods")
    attributes = dict(recorded.spans[0].attributes or {})
    info = connection.info
    assert attributes == {
        "db.system.name": "postgresql",
        "db.operation.name": "SELECT",
        "db.query.summary": "SELECT foods",
        "db.collection.name": "foods",
        "db.namespace": info.dbname,
        "server.address": info.host,
        "server.port": info.port,
    }


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
