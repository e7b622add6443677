"""A statement's operation and table, without its text."""

from __future__ import annotations

import time

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
    ("SELECT extract(year FROM eaten), trim(both FROM name) FROM t", "SELECT t", "select"),
    ("SELECT a IS DISTINCT FROM b FROM t", "SELECT t", "select"),
    ("SELECT (SELECT max(x) FROM inner_one) FROM outer_one", "SELECT outer_one", "select"),
    ("SELECT * FROM (SELECT * FROM t) AS s", "SELECT t", "select"),
    ("SELECT * FROM generate_series(1, 2)", "SELECT", "select"),
    ("SELECT E'it\\'s from secret' FROM t", "SELECT t", "select"),
    ("/* a /* FROM x */ FROM y */ SELECT 1 FROM t", "SELECT t", "select"),
    ("SELECT $tag$ FROM x $tag$ FROM t WHERE a = $1", "SELECT t", "select"),
    ("SELECT 'FROM x", "SELECT", "select"),
    ('SELECT "FROM x', "SELECT", "select"),
    ("SELECT * FROM %s", "SELECT", "select"),
    ("UPDATE t SET n = (SELECT 1 FROM x)", "UPDATE t", "update"),
    ("INSERT INTO db.public.t (a) SELECT * FROM x", "INSERT t", "insert"),
    ("COPY t (a, b) FROM STDIN", "COPY t", "other"),
    ("COPY (SELECT * FROM t) TO STDOUT", "COPY t", "other"),
    ("TRUNCATE TABLE ONLY t", "TRUNCATE t", "other"),
    ("MERGE INTO t USING x ON true WHEN MATCHED THEN DELETE", "MERGE t", "other"),
    ("hunter2", "QUERY", "other"),
    ("'secret'", "QUERY", "other"),
    (object(), "QUERY", "other"),
    (sql.SQL("SELECT {} FROM {}").format(sql.Literal("secret"), sql.Identifier("t")), "SELECT t", "select"),
]


@pytest.mark.parametrize(("query", "summary", "query_type"), CASES, ids=[str(case[0])[:40] for case in CASES])
def test_a_statement_is_named_by_operation_and_table(query: object, summary: str, query_type: str) -> None:
    statement = statement_of(query)
    assert statement is not None
    assert (statement.summary, statement.labels["query_type"]) == (summary, query_type)


@pytest.mark.parametrize(
    "query", ["", "  ", ";", "-- only a comment", b""], ids=["empty", "blank", "semicolon", "comment", "bytes"]
)
def test_an_empty_statement_is_none(query: object) -> None:
    assert statement_of(query) is None


HOSTILE = ["'" * 99_999, "/*" * 50_000, '"' * 99_999, "$a" * 50_000, "$a$" * 33_333, "(" * 99_999, "FROM " * 20_000]


@pytest.mark.parametrize("query", HOSTILE, ids=[query[:5] for query in HOSTILE])
def test_a_hostile_statement_takes_no_time(query: str) -> None:
    started = time.process_time()
    statement_of(query)
    assert time.process_time() - started < 0.5


def test_a_value_that_cannot_be_rendered_is_not_asked_for() -> None:
    statement = statement_of(sql.SQL("SELECT * FROM t WHERE a = {}").format(sql.Literal(object())))
    assert statement is not None
    assert statement.summary == "SELECT t"
