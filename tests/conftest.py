"""Fixtures of all tests."""

from __future__ import annotations

import contextvars
import gc
import os
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from telemetry.settings import Settings
from telemetry.testing import Capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.server import BaseHTTPRequestHandler

    from opentelemetry.sdk.trace.export import SpanExporter

    from telemetry.sentry import Sentry


Recorded = Capture
"""A set-up whose spans, metrics and errors stay in memory."""


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would set up telemetry."""
    prefixes = ("OTEL_", "SENTRY_", "ENABLE_", "TELEMETRY_")
    return {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}


@contextmanager
def http_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free loopback port until the block is left; gives `HOST:PORT`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def left_by_a_chain(job: Callable[[], contextvars.Context], kind: type) -> int:
    """Run a job twenty times, each in the context that the one before has left; return how many of a kind live on."""

    def living() -> int:
        gc.collect()
        return sum(type(found) is kind for found in gc.get_objects())

    before, context = living(), contextvars.copy_context()
    for _ in range(20):
        context = context.run(job)
    return living() - before


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Record everything in memory; a failure of our own code raises."""
    yield from record(Settings())


def record(
    settings: Settings, exporter: SpanExporter | None = None, sentry: Sentry | None = None
) -> Iterator[Recorded]:
    """Put a recording set-up in force for the length of a test; `exporter` and `sentry` stand for what is in memory."""
    with Capture(settings, exporter=exporter, sentry=sentry) as recording:
        yield recording
