"""Fixtures of all tests."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry import _guard, _runtime, providers
from telemetry._error_marks import Captured
from telemetry.instruments import Instruments
from telemetry.sentry import Sentry
from telemetry.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

    from opentelemetry.sdk.trace import ReadableSpan


Points = dict[tuple[str, ...], float]


class RecordingSentry(Sentry):
    """Stands where Sentry is switched off, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[BaseException] = []
        self.user: dict[str, str] = {}

    def capture(self, error: BaseException, **_: Any) -> Captured | None:
        self.errors.append(error)
        return Captured(f"{len(self.errors):032x}")

    def set_user(self, user: Any) -> None:
        self.user = dict(user)


class Recorded:
    """A set-up whose spans and metrics stay in memory."""

    def __init__(self, settings: Settings, exporter: SpanExporter | None = None, sentry: Sentry | None = None) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        resource = providers.resource(settings)
        traces = providers.tracer_provider(replace(settings, traces_exporter="none"), resource)
        traces.add_span_processor(SimpleSpanProcessor(providers.RedactingExporter(exporter or self._spans)))
        for processor in sentry.span_processors() if sentry else ():
            traces.add_span_processor(processor)
        meters = providers.meter_provider(settings, resource, [self._reader])
        self.sentry = RecordingSentry()
        instruments = Instruments(meters.get_meter("telemetry"))
        self.runtime = _runtime.Runtime(settings, traces, meters, instruments, sentry or self.sentry)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that ended, first ended first."""
        return list(self._spans.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """The one span of this name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def metrics(self) -> dict[str, Points]:
        """Each metric's points that are not a counter's zero; those stand in `series`."""
        found = {name: {key: value for key, value in points.items() if value} for name, points in self.series().items()}
        return {name: points for name, points in found.items() if points}

    def series(self) -> dict[str, Points]:
        """Each metric's value by its label values, in the labels' alphabetical order; a histogram's is its count."""
        data = self._reader.get_metrics_data()
        found: dict[str, Points] = {}
        for resource in data.resource_metrics if data else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                found[metric.name] = {_key(point): _value(point) for point in metric.data.data_points}
        return found


def _key(point: Any) -> tuple[str, ...]:
    return tuple(str(value) for _, value in sorted((point.attributes or {}).items()))


def _value(point: Any) -> float:
    return float(point.value if hasattr(point, "value") else point.count)


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


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Record everything in memory; a failure of our own code raises."""
    yield from record(Settings())


def record(
    settings: Settings, exporter: SpanExporter | None = None, sentry: Sentry | None = None
) -> Iterator[Recorded]:
    """Put a recording set-up in force for the length of a test; `exporter` and `sentry` stand for what is in memory."""
    before = _runtime.current()
    recording = Recorded(settings, exporter, sentry)
    _runtime.install(recording.runtime)
    _guard.set_strict(True)
    yield recording
    recording.runtime.stop()
    _guard.set_strict(False)
    _runtime.install(before)
