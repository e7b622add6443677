"""The database: where it is, its schema, and the pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection, Connection
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

import telemetry

from .embedded import embedded_url
from .settings import Settings

__all__ = ["Pool", "database_url", "fresh_database", "open_pool"]

Pool = AsyncConnectionPool[AsyncConnection]

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id bigint PRIMARY KEY,
    username text,
    calorie_goal integer NOT NULL DEFAULT 2000,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS food_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    name text NOT NULL,
    grams real NOT NULL,
    calories real NOT NULL,
    source text NOT NULL,
    eaten_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS food_entries_of_user ON food_entries (user_id, eaten_at);
CREATE TABLE IF NOT EXISTS reminders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users,
    chat_id bigint NOT NULL,
    text text NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    trace_context jsonb NOT NULL
);
CREATE INDEX IF NOT EXISTS reminders_due ON reminders (due_at) WHERE sent_at IS NULL;
"""
SCHEMA_LOCK = 4711
"""Two processes that start together would both create the tables; this advisory lock makes them take turns."""


def database_url(settings: Settings) -> str:
    """Return the address of the database: DATABASE_URL, else an embedded server."""
    return settings.text("DATABASE_URL") or embedded_url()


def fresh_database(url: str, name: str) -> str:
    """Drop and create the database `name` on the server of `url`, and return its address."""
    quoted = Identifier(name)
    with Connection.connect(url, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted))
        connection.execute(SQL("CREATE DATABASE {}").format(quoted))
    return make_conninfo(url, dbname=name)


@asynccontextmanager
async def open_pool(url: str, *, size: int = 10) -> AsyncIterator[Pool]:
    """Open a pool of up to `size` connections to a database that has the schema; close it at the end."""
    pool: Pool = AsyncConnectionPool(url, min_size=2, max_size=size, open=False, name="health-agent")
    telemetry.instrument_pool(pool)
    async with pool:
        await pool.wait(timeout=10)
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (SCHEMA_LOCK,))
            await connection.execute(SCHEMA)
        yield pool
