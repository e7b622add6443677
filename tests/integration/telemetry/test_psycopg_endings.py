"""However a query ends - failed, cancelled, timed out, given up half read - its span ends once and says so."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import psycopg
import pytest
from opentelemetry import trace
from psycopg.pq import TransactionStatus

import telemetry
from tests.conftest import Recorded
from tests.integration.telemetry.postgres import direct, direct_async, drain, entered, settle

MANY = "SELECT i, 'secret' FROM generate_series(1, 100000) i"
Ask = Callable[[Any], Awaitable[object]]


@pytest.fixture(autouse=True)
def instrumented(recorded: Recorded) -> Iterator[None]:
    with telemetry.instrument_psycopg():
        yield


@pytest.fixture(params=[direct, direct_async], ids=["sync", "async"])
async def connection(request: pytest.FixtureRequest, database: str) -> AsyncIterator[Any]:
    async with request.param(database) as connection:
        yield connection


def outcome(recorded: Recorded) -> list[tuple[str, str | None]]:
    """Each span's name, and what kind of error it ended in."""
    return [(span.name, dict(span.attributes or {}).get("error.type")) for span in recorded.spans]  # type: ignore[misc]


async def until_idle(connection: Any) -> None:
    """Wait for what asyncio closes later by itself: an asynchronous generator that nobody reads any more."""
    gc.collect()
    for _ in range(200):
        if connection.info.transaction_status is not TransactionStatus.ACTIVE:
            break
        await asyncio.sleep(0.01)


async def fails_at_once(connection: Any) -> None:
    await settle(connection.execute("SELECT 1/0 FROM foods"))


async def times_out(connection: Any) -> None:
    await settle(connection.execute("SET statement_timeout = 20"))
    await settle(connection.execute("SELECT pg_sleep(5)"))


async def fails_in_a_stream(connection: Any) -> None:
    await drain(connection.cursor().stream("SELECT 1/(2-i) FROM generate_series(1, 3) i"))


async def fails_in_a_copy(connection: Any) -> None:
    async with entered(connection.cursor().copy("COPY foods FROM STDIN")) as copy:
        await settle(copy.write(b"not a number\tsecret\n"))


async def fails_in_executemany(connection: Any) -> None:
    await settle(connection.cursor().executemany("INSERT INTO foods VALUES (%s, 'secret')", [[501], [501]]))


async def fails_at_a_fetch(connection: Any) -> None:
    async with entered(connection.cursor("named")) as cursor:
        await settle(cursor.execute("SELECT 1/(200-i) FROM generate_series(1, 300) i"))
        await drain(cursor)


FAILURES: dict[Ask, tuple[list[tuple[str, str | None]], str]] = {
    fails_at_once: ([("SELECT foods", "22012")], "DivisionByZero"),
    times_out: ([("SET", None), ("SELECT", "57014")], "QueryCanceled"),
    fails_in_a_stream: ([("SELECT", "22012")], "DivisionByZero"),
    fails_in_a_copy: ([("COPY foods", "22P02")], "InvalidTextRepresentation"),
    fails_in_executemany: ([("INSERT foods", "23505")], "UniqueViolation"),
    fails_at_a_fetch: ([("SELECT", None), ("FETCH", "22012")], "DivisionByZero"),
}


@pytest.mark.parametrize(("ask", "spans", "error"), [(ask, *found) for ask, found in FAILURES.items()],
                         ids=[ask.__name__ for ask in FAILURES])  # fmt: skip
async def test_a_failure_stands_on_its_span_and_is_counted_once(
    connection: Any, recorded: Recorded, ask: Ask, spans: object, error: str
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        await ask(connection)
    await settle(connection.rollback())
    assert type(raised.value).__name__ == error
    assert outcome(recorded) == spans
    assert recorded.metrics()["errors"] == {("database", error): 1}


async def break_off_a_stream(connection: Any) -> None:
    rows = connection.cursor().stream(MANY)
    if hasattr(rows, "__aiter__"):
        async for _ in rows:
            break
    else:
        for _ in rows:
            break


async def close_a_stream(connection: Any) -> None:
    rows = connection.cursor().stream(MANY)
    if hasattr(rows, "__aiter__"):
        await anext(rows)
        await asyncio.create_task(rows.aclose())
    else:
        next(rows)
        rows.close()


async def leave_a_copy_by_an_error(connection: Any) -> None:
    with pytest.raises(KeyError, match="ours"):
        await fail_within(connection, "COPY foods FROM STDIN", lambda copy: copy.write_row((601, "secret")))


async def read_half_of_a_copy(connection: Any) -> None:
    with pytest.raises(KeyError, match="ours"):
        await fail_within(connection, f"COPY ({MANY}) TO STDOUT", lambda copy: copy.read())


async def fail_within(connection: Any, statement: str, step: Callable[[Any], Any]) -> None:
    async with entered(connection.cursor().copy(statement)) as copy:
        await settle(step(copy))
        raise KeyError("ours")


async def drop_a_copy(connection: Any) -> None:
    manager = connection.cursor().copy("COPY foods FROM STDIN")
    await settle(manager.__aenter__() if hasattr(manager, "__aenter__") else manager.__enter__())


async def cancelled(connection: Any) -> None:
    """Give up while the database works; only the asynchronous side can."""
    if isinstance(connection, psycopg.AsyncConnection):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.execute("SELECT pg_sleep(5)"), 0.05)
    else:
        connection.execute("SELECT 1")


ABANDONED = {
    break_off_a_stream: ("SELECT", None),
    close_a_stream: ("SELECT", None),
    leave_a_copy_by_an_error: ("COPY foods", "KeyError"),
    read_half_of_a_copy: ("COPY", "KeyError"),
    drop_a_copy: ("COPY foods", None),
    cancelled: ("SELECT", None),
}


@pytest.mark.parametrize(("ask", "span"), ABANDONED.items(), ids=[ask.__name__ for ask in ABANDONED])
async def test_what_is_given_up_ends_its_span_once_and_is_no_error_of_the_database(
    connection: Any, recorded: Recorded, caplog: pytest.LogCaptureFixture, ask: Ask, span: object
) -> None:
    with telemetry.get_tracer().start_as_current_span("turn") as turn:
        await ask(connection)
        await until_idle(connection)
        assert trace.get_current_span() is turn
    assert outcome(recorded)[:-1] == [span]
    assert "errors" not in recorded.metrics()
    assert caplog.messages == []


async def test_the_time_the_reader_of_a_stream_takes_is_not_the_databases(connection: Any, recorded: Recorded) -> None:
    rows = connection.cursor().stream("SELECT i FROM generate_series(1, 2) i")
    await (anext(rows) if hasattr(rows, "__anext__") else settle(next(rows)))
    await asyncio.sleep(0.2)
    await drain(rows)
    assert recorded.metrics()["db.query.duration"] == {("select",): 1}
    assert "db.slow.queries" not in recorded.metrics()


async def test_a_slow_fetch_of_a_server_side_cursor_is_a_slow_query(connection: Any, recorded: Recorded) -> None:
    async with entered(connection.cursor("named")) as cursor:
        await settle(cursor.execute("SELECT pg_sleep(0.15)"))
        await settle(cursor.fetchone())
    assert outcome(recorded) == [("SELECT", None), ("FETCH", None)]
    assert recorded.metrics()["db.slow.queries"] == {("select",): 1}


async def pipelined(connection: Any, *queries: str) -> None:
    async with entered(connection.pipeline()):
        for query in queries:
            await settle(connection.execute(query, prepare="5" in query))


async def many_pipelined(connection: Any) -> None:
    async with entered(connection.pipeline()):
        await settle(connection.execute("SELECT 1"))
        await settle(connection.cursor().executemany("SELECT 1 / %s::int FROM pg_class", [[1], [0], [1]]))
        await settle(connection.execute("SELECT 2"))


PIPELINES: dict[str, tuple[Ask, str]] = {
    "a query": (lambda c: pipelined(c, "SELECT 1", "SELECT 1/0 FROM pg_class", "SELECT 2"), "22012"),
    "a query that is prepared": (
        lambda c: pipelined(c, "SELECT 1", "SELECT 5 FROM pg_class SELECT", "SELECT 2"),
        "42601",
    ),
    "one of many": (many_pipelined, "22012"),
}


@pytest.mark.parametrize(("ask", "error"), PIPELINES.values(), ids=PIPELINES.keys())
async def test_a_failure_in_a_pipeline_stands_on_the_query_that_failed(
    connection: Any, recorded: Recorded, ask: Ask, error: str
) -> None:
    with pytest.raises(psycopg.Error) as raised:
        await ask(connection)
    await settle(connection.rollback())
    first, second, *later = outcome(recorded)
    assert [first, second] == [("SELECT", None), ("SELECT pg_class", error)]
    assert set(later) <= {("SELECT", "PipelineAborted")}
    assert recorded.metrics()["errors"] == {("database", type(raised.value).__name__): 1}
    assert recorded.metrics()["db.query.duration"] == {("select",): 2}


async def test_a_query_of_a_pipeline_lasts_until_its_answer(connection: Any, recorded: Recorded) -> None:
    async with entered(connection.pipeline()):
        cursor = await settle(connection.execute("SELECT pg_sleep(0.15)"))
        assert recorded.spans == []
        await settle(cursor.fetchone())
        assert len(recorded.spans) == 1
    assert recorded.metrics()["db.slow.queries"] == {("select",): 1}


async def test_a_query_that_could_not_be_sent_leaves_its_pipeline_in_order(connection: Any, recorded: Recorded) -> None:
    async with entered(connection.pipeline()):
        with pytest.raises(psycopg.ProgrammingError):
            await settle(connection.execute("SELECT %s FROM foods", [object()]))
        await settle(connection.execute("DELETE FROM foods"))
    assert outcome(recorded) == [("SELECT foods", "ProgrammingError"), ("DELETE foods", None)]


async def test_a_lost_connection_ends_what_its_pipeline_has_open(connection: Any, recorded: Recorded) -> None:
    with pytest.raises(psycopg.OperationalError):
        await pipelined(connection, "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT 1 FROM foods")
    assert len(recorded.spans) == 2
    await settle(connection.close())


async def test_a_query_on_a_closed_connection_fails_as_before_and_ends_its_span(
    connection: Any, recorded: Recorded
) -> None:
    cursor = connection.cursor()
    await settle(connection.close())
    with pytest.raises(psycopg.OperationalError, match="the connection is closed"):
        await settle(cursor.execute("SELECT 1 FROM foods"))
    assert outcome(recorded) == [("SELECT foods", "OperationalError")]
