"""Fixtures of the tests that need a database or a provider."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from examples.health_agent.embedded import passing_url
from tests.conftest import http_server
from tests.integration.telemetry.clients import Provider


@pytest.fixture(scope="session")
def database() -> str:
    """Start a PostgreSQL with an empty table `foods`; return its address."""
    url = passing_url()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS foods (id int PRIMARY KEY, name text)")
    return url


@pytest.fixture
def provider() -> Iterator[str]:
    """Serve a provider; return its `HOST:PORT`."""
    Provider.seen, Provider.failures = [], 0
    with http_server(Provider) as address:
        yield address
