"""Fixtures of the tests that need a database."""

from __future__ import annotations

import psycopg
import pytest

from examples.health_agent.embedded import embedded_url


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Start a PostgreSQL with an empty table `foods`; return its address."""
    url = embedded_url(tmp_path_factory.mktemp("database") / "postgres")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS foods (id int PRIMARY KEY, name text)")
    return url
