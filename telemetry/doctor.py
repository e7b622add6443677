"""Does telemetry arrive: the command `doctor`.

One span, one metric and one error are sent as the application would send them, and each is looked for where it should
end. Every hop that does not work is named, with what to do.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import socket
import sys
import textwrap
import time
import uuid
from typing import TYPE_CHECKING, Any, TextIO

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_trace_id, use_span

from telemetry import catalog, providers
from telemetry._extras import require
from telemetry._parse import address
from telemetry.backends import Jaeger, Prometheus, Sentry, Tempo
from telemetry.exporters import Delivery, Outcome
from telemetry.instruments import Instruments
from telemetry.sentry import Sentry as SentryLink
from telemetry.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.trace import Span

__all__ = ["Doctor", "DoctorError"]

httpx: Any = require("httpx", feature="doctor", extra="http-clients")

OK, BROKEN, OFF = "ok", "BROKEN", "off"
_POLL_SECONDS = 0.5
_CONNECT_SECONDS = 3.0
_COLUMNS = 80


class DoctorError(Exception):
    """The error that doctor sends to Sentry."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was found at one hop: its state, and what to do when it is not `ok`."""

    hop: str
    state: str
    detail: str
    remedy: str = ""


@dataclasses.dataclass(frozen=True)
class Place:
    """Where something is looked for, and the variable that tells."""

    hop: str
    url: str
    variable: str


class ExporterLog(logging.Handler):
    """Keeps the last thing the exporters said, instead of letting them write between the findings."""

    def __init__(self) -> None:
        """Listen to the exporters' loggers."""
        super().__init__()
        self.last: str = ""
        logger = logging.getLogger("opentelemetry.exporter")
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was said about a failed attempt."""
        self.last = record.getMessage()


class Doctor:
    """One examination; prints each finding when it has it."""

    def __init__(self, *, wait_seconds: float = 20.0, out: TextIO | None = None, as_json: bool = False) -> None:
        """Read the environment; look for what was sent for `wait_seconds` at most."""
        self._settings, self._errors = Settings.read()
        self._wait = wait_seconds
        self._out, self._as_json = out or sys.stdout, as_json
        self._findings: list[Finding] = []
        self._run_id = f"doctor-{uuid.uuid4()}"
        self._exporters = ExporterLog()

    def run(self) -> int:
        """Examine; returns 0 when all that is switched on works, else 1."""
        self._say(f"service {self._settings.service_name}, environment {self._settings.environment}, "
                  f"{self._settings.sample_rate:.0%} of traces recorded")  # fmt: skip
        for error in self._errors:
            self._found("settings", BROKEN, str(error), f"correct {error.variable}, or unset it")
        collector = self._examine_collector()
        span = self._send_span() if collector else None
        metric_sent = self._send_metric() if collector else False
        event_id = self._send_error(span)
        self._look_for_span(span)
        self._look_for_metric(sent=metric_sent)
        self._look_for_error(event_id)
        return self._verdict()

    def _examine_collector(self) -> bool:
        try:
            socket.create_connection(address(self._settings.otlp_endpoint), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            self._found("Collector", BROKEN, f"nothing answers at {self._settings.otlp_endpoint} ({error})",
                        "start it (make up), or correct OTEL_EXPORTER_OTLP_ENDPOINT")  # fmt: skip
            return False
        self._found("Collector", OK, f"{self._settings.otlp_endpoint} ({self._settings.otlp_protocol})")
        return True

    def _send_span(self) -> Span | None:
        if not self._switched_on("spans", "ENABLE_TRACING", on=self._settings.enable_tracing):
            return None
        ended = InMemorySpanExporter()
        provider = TracerProvider(resource=self._resource(), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(ended))
        with provider.get_tracer("telemetry").start_as_current_span("telemetry.doctor") as span:
            pass
        outcome = Delivery(self._settings, "traces").send(ended.get_finished_spans())
        return span if self._accepted("spans", ok=outcome is Outcome.SENT) else None

    def _send_metric(self) -> bool:
        if not self._switched_on("metrics", "ENABLE_METRICS", on=self._settings.enable_metrics):
            return False
        reader = InMemoryMetricReader()
        provider = providers.meter_provider(self._resource(), [reader])
        Instruments(provider.get_meter("telemetry")).add(catalog.DOCTOR_CHECKS)
        data = reader.get_metrics_data()
        outcome = data and Delivery(self._settings, "metrics").send(data)
        return self._accepted("metrics", ok=outcome is Outcome.SENT)

    def _send_error(self, span: Span | None) -> str | None:
        if not self._switched_on("errors", "ENABLE_SENTRY", on=self._settings.enable_sentry):
            return None
        if not self._settings.sentry_dsn:
            self._found("errors", OFF, "SENTRY_DSN is not set: no error is sent anywhere")
            return None
        sentry = SentryLink.start(self._settings)
        error = DoctorError("sent by `python -m telemetry doctor`; nothing is wrong")
        if span is None:
            event = sentry.capture(error)
        else:
            with use_span(span):
                event = sentry.capture(error)
        sentry.close(_CONNECT_SECONDS)
        return event.event_id if event else None

    def _look_for_span(self, span: Span | None) -> None:
        if span is None:
            return
        trace_id = format_trace_id(span.get_span_context().trace_id)
        jaeger = Place("span in Jaeger", self._settings.jaeger_url, "TELEMETRY_JAEGER_URL")
        self._look(jaeger, lambda: Jaeger(jaeger.url).trace(trace_id))
        tempo = Place("span in Tempo", self._settings.tempo_url, "TELEMETRY_TEMPO_URL")
        if tempo.url:
            self._look(tempo, lambda: Tempo(tempo.url).trace(trace_id))

    def _look_for_metric(self, *, sent: bool) -> None:
        place = Place("metric in Prometheus", self._settings.prometheus_url, "TELEMETRY_PROMETHEUS_URL")
        query = f'{catalog.DOCTOR_CHECKS.prometheus}{{instance="{self._run_id}"}}'
        if sent:
            self._look(place, lambda: Prometheus(place.url).query(query))

    def _look_for_error(self, event_id: str | None) -> None:
        place = Place("error in Sentry", self._settings.sentry_url, "TELEMETRY_SENTRY_URL")
        if event_id is not None:
            self._look(place, lambda: Sentry(place.url, self._settings.sentry_token).find(event_id))

    def _look(self, place: Place, ask: Callable[[], object]) -> None:
        if not place.url:
            self._found(place.hop, OFF, f"not looked for: {place.variable} is not set")
            return
        start = time.monotonic()
        problem = "it was sent and is not there"
        while time.monotonic() - start < self._wait:
            try:
                if ask():
                    self._found(place.hop, OK, f"after {time.monotonic() - start:.1f} s at {place.url}")
                    return
            except httpx.HTTPError as error:
                problem = f"no answer from {place.url} ({error})"
            time.sleep(_POLL_SECONDS)
        self._found(place.hop, BROKEN, problem, "see `make status`, `make logs`")

    def _switched_on(self, signal: str, switch: str, *, on: bool) -> bool:
        if not on:
            self._found(signal, BROKEN, f"switched off by {switch}", f"unset {switch}, if that is not meant")
        return on

    def _accepted(self, signal: str, *, ok: bool) -> bool:
        if not ok:
            said = self._exporters.last
            self._found(signal, BROKEN, f"the Collector did not accept them{said and ': ' + said}",
                        "correct OTEL_EXPORTER_OTLP_PROTOCOL (grpc is port 4317, http/protobuf is 4318), or the "
                        "credentials in OTEL_EXPORTER_OTLP_HEADERS")  # fmt: skip
        return ok

    def _resource(self) -> Resource:
        return providers.resource(self._settings).merge(Resource({"service.instance.id": self._run_id}))

    def _found(self, hop: str, state: str, detail: str, remedy: str = "") -> None:
        self._findings.append(Finding(hop, state, detail, remedy))
        self._say(f"{state:<7}{hop:<22}", detail)
        if remedy:
            self._say(f"{'':<29}", f"what to do: {remedy}")

    def _verdict(self) -> int:
        broken = [finding.hop for finding in self._findings if finding.state == BROKEN]
        self._say(f"broken: {', '.join(broken)}" if broken else "all that is switched on works")
        if self._as_json:
            findings = [dataclasses.asdict(finding) for finding in self._findings]
            self._out.write(json.dumps({"ok": not broken, "findings": findings}, indent=2) + "\n")
        return 1 if broken else 0

    def _say(self, head: str, text: str = "") -> None:
        if self._as_json:
            return
        wrap = textwrap.TextWrapper(_COLUMNS, initial_indent=head, subsequent_indent=" " * len(head))
        print(wrap.fill(text) if text else head, file=self._out, flush=True)
