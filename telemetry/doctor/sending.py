"""One span, one metric and one error, sent as the application would send them."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import use_span

from telemetry import catalog, providers
from telemetry.doctor.door import refusal
from telemetry.doctor.findings import BROKEN, Finding
from telemetry.exporters import Delivery, Outcome
from telemetry.instruments import Instruments
from telemetry.sentry import Sentry as SentryLink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Span

    from telemetry.settings import Settings

__all__ = ["DoctorError", "Sending"]

_CLOSE_SECONDS = 3.0
_SENTRY_SAYS = {
    "status_401": "the DSN's key is not accepted", "status_403": "the DSN's key or project is not known",
    "status_404": "the DSN's project is not known", "network": "nothing answers where the DSN points",
    "network_error": "nothing answers where the DSN points",
}  # fmt: skip


class DoctorError(Exception):
    """The error that doctor sends to Sentry."""


class ExporterLog(logging.Handler):
    """Keeps what the exporters say, instead of letting them write between the findings."""

    def __init__(self) -> None:
        """Listen to the exporters' loggers, without the filter that an application has."""
        super().__init__()
        self._texts: list[str] = []
        logger = logging.getLogger("opentelemetry.exporter")
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what was said about a failed attempt."""
        self._texts.append(record.getMessage())

    @property
    def cause(self) -> str:
        """What was said last with a reason: that trying again was given up is none."""
        return next((text for text in reversed(self._texts) if "max retries or" not in text), "")


@dataclass
class Sending:
    """What is sent under one instance id of this run's own."""

    settings: Settings
    run_id: str = field(default_factory=lambda: f"doctor-{uuid.uuid4()}")
    log: ExporterLog = field(default_factory=ExporterLog)

    def span(self) -> tuple[Span | None, Iterator[Finding]]:
        """Send a span; returns it where it was taken, and what was found."""
        ended = InMemorySpanExporter()
        provider = TracerProvider(resource=self._resource(), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(ended))
        with provider.get_tracer("telemetry").start_as_current_span("telemetry.doctor") as span:
            pass
        delivery = Delivery(self.settings, "traces")
        taken = delivery.send(ended.get_finished_spans()) is Outcome.SENT
        return (span if taken else None), self._refused("spans", delivery, taken=taken)

    def metric(self) -> tuple[bool, Iterator[Finding]]:
        """Send a counter; returns whether it was taken, and what was found."""
        reader = InMemoryMetricReader()
        provider = providers.meter_provider(self._resource(), [reader])
        Instruments(provider.get_meter("telemetry")).add(catalog.DOCTOR_CHECKS)
        delivery = Delivery(self.settings, "metrics")
        taken = delivery.send(reader.get_metrics_data()) is Outcome.SENT
        return taken, self._refused("metrics", delivery, taken=taken)

    def error(self, span: Span | None) -> tuple[str | None, Iterator[Finding]]:
        """Send an error, of the span if there is one; returns the event's id where it was taken, and what was found."""
        refused: list[str] = []
        sentry = SentryLink.start(self.settings)
        sentry.watch(lambda _event: None, refused.append)
        error = DoctorError("sent by `python -m telemetry doctor`; nothing is wrong")
        if span is None:
            event = sentry.capture(error)
        else:
            with use_span(span):
                event = sentry.capture(error)
        sentry.close(_CLOSE_SECONDS)
        return (event.event_id if event and not refused else None), _sentry_refused(refused)

    def _refused(self, signal: str, delivery: Delivery, *, taken: bool) -> Iterator[Finding]:
        if not taken:
            said = self.log.cause
            why, remedy = refusal(delivery, said)
            yield Finding(signal, BROKEN, f"{why}: {said[:200]}" if said else why, remedy)

    def _resource(self) -> Resource:
        return providers.resource(self.settings).merge(Resource({"service.instance.id": self.run_id}))


def _sentry_refused(reasons: list[str]) -> Iterator[Finding]:
    if reasons:
        why = _SENTRY_SAYS.get(reasons[-1], "it was not taken")
        yield Finding("errors", BROKEN, f"Sentry: {why} ({reasons[-1]})",
                      "correct SENTRY_DSN: Sentry shows it in the project's settings, under client keys")  # fmt: skip
