"""Fixtures of the stack's unit tests."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest


@pytest.fixture
def deaf_port() -> Iterator[int]:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        yield nobody_listens.getsockname()[1]
