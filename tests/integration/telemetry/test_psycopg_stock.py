"""Beside opentelemetry-instrumentation-psycopg: what it records we record, but for what stands here with its reason.

Left out besides: its event `exception`, since the server's message quotes values. It records no stream, no copy and no
server-side cursor, and each query of a pipeline only until it is sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.trace import ReadableSpan

import telemetry
from tests.conftest import Recorded

NEWER_NAMES = {
    "db.system": "db.system.name",
    "db.name": "db.namespace",
    "net.peer.name": "server.address",
    "net.peer.port": "server.port",
}
"""The stable conventions' names, which ours are, for those of the stock package."""
LEFT_OUT = {
    "db.statement",  # the text holds literals
    "db.query.text",  # the same in the stable conventions
    "db.user",  # gone from the stable conventions
}


def in_a_pipeline(connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline():
        connection.execute("SELECT 1")


def copy_out(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor().copy("COPY foods TO STDOUT") as copy:
        list(copy)


QUERIES: dict[str, tuple[Callable[[psycopg.Connection[Any]], object], int]] = {
    "execute": (lambda c: c.execute("SELECT * FROM foods WHERE name = %s", ["x"]), 1),
    "cursor": (lambda c: c.cursor().execute("INSERT INTO foods VALUES (801, 'x') ON CONFLICT DO NOTHING"), 1),
    "executemany": (lambda c: c.cursor().executemany("UPDATE foods SET name = %s", [["x"], ["y"]]), 1),
    "failure": (lambda c: c.execute("SELECT 1/0"), 1),
    "pipeline": (in_a_pipeline, 1),
    "server-side cursor": (lambda c: c.cursor("named").execute("SELECT * FROM foods").close(), 0),
    "stream": (lambda c: list(c.cursor().stream("SELECT * FROM foods")), 0),
    "copy": (copy_out, 0),
}


def spans_with_stock(url: str, recorded: Recorded, ask: Callable[..., object]) -> list[ReadableSpan]:
    instrumentor = PsycopgInstrumentor()
    instrumentor.instrument(tracer_provider=recorded.runtime.tracer_provider)
    try:
        return spans_of(url, recorded, ask)
    finally:
        instrumentor.uninstrument()


def spans_of(url: str, recorded: Recorded, ask: Callable[..., object]) -> list[ReadableSpan]:
    before = len(recorded.spans)
    with psycopg.connect(url) as connection, contextlib.suppress(psycopg.errors.DivisionByZero):
        ask(connection)
    return recorded.spans[before:]


@pytest.mark.parametrize(("ask", "by_stock"), QUERIES.values(), ids=QUERIES.keys())
def test_what_the_stock_package_records_is_recorded_alike(
    database: str, recorded: Recorded, ask: Callable[..., object], by_stock: int
) -> None:
    theirs = spans_with_stock(database, recorded, ask)
    with telemetry.instrument_psycopg():
        (ours,) = spans_of(database, recorded, ask)
    assert len(theirs) == by_stock
    for span in theirs:
        attributes = {NEWER_NAMES.get(name, name): value for name, value in dict(span.attributes or {}).items()}
        assert {name for name in attributes if name not in dict(ours.attributes or {})} <= LEFT_OUT
        assert dict(ours.attributes or {}).items() >= {item for item in attributes.items() if item[0] not in LEFT_OUT}
        assert (ours.kind, ours.status.status_code) == (span.kind, span.status.status_code)
        assert ours.name.split()[0] == span.name
