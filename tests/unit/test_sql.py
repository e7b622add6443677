"""A statement's operation and table, without its text."""

from __future__ import annotations

import pytest
from psycopg import sql

from telemetry.instrumentation._sql import statement_of

CASES = [
    ("SELECT * FROM food_entries WHERE id = %s", "SELECT food_entries", "select"),
    ("insert into users (id) values (%s)", "INSERT users", "insert"),
    ("UPDATE ONLY users SET name = 'FROM secrets'", "UPDATE users", "update"),
    ("DELETE FROM public.reminders", "DELETE reminders", "delete"),
    ("WITH recent AS (SELECT * FROM a) INSERT INTO b SELECT * FROM recent", "INSERT b", "insert"),
    ("WITH x AS (DELETE FROM a RETURNING id) SELECT count(*) FROM x", "SELECT x", "select"),
    ("-- FROM nowhere\n/* comment */ select 1", "SELECT", "select"),
    ('SELECT * FROM "User"', "SELECT User", "select"),
    ("CREATE TABLE IF NOT EXISTS foods (id int)", "CREATE foods", "other"),
    ("(SELECT 1) UNION (SELECT 2)", "SELECT", "select"),
    (b"SELECT 1 FROM t", "SELECT t", "select"),
    (sql.SQL("SELECT {} FROM {}").format(sql.Literal("secret"), sql.Identifier("t")), "SELECT t", "select"),
]


@pytest.mark.parametrize(("query", "summary", "query_type"), CASES, ids=[str(case[0]) for case in CASES])
def test_a_statement_is_named_by_operation_and_table(query: object, summary: str, query_type: str) -> None:
    statement = statement_of(query)
    assert statement is not None
    assert (statement.summary, statement.query_type) == (summary, query_type)


@pytest.mark.parametrize("query", ["", "  ", "-- only a comment", b""], ids=["empty", "blank", "comment", "bytes"])
def test_an_empty_statement_is_none(query: object) -> None:
    assert statement_of(query) is None
