"""What sends spans and metrics by OTLP, over HTTP or gRPC, and tells whether trying again may help.

Every `OTEL_EXPORTER_OTLP_*` variable but address and protocol (headers, certificates, time-outs, compression) is read
by the SDK's exporters, which also repeat what the specification lets them, within one time-out.

https://opentelemetry.io/docs/specs/otlp/#failures
"""

from __future__ import annotations

import enum
import logging
import os
import socket
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

from telemetry._parse import address
from telemetry._quiet import RARELY
from telemetry.accounting import NETWORK, REFUSED, Account
from telemetry.standard import only_right

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

    from telemetry._answers import Answers
    from telemetry.settings import Settings

    Signal = Literal["traces", "metrics"]

__all__ = ["CUMULATIVE", "CountedMetricExporter", "Delivery", "Outcome", "listens"]

CUMULATIVE: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, Histogram, ObservableCounter, ObservableGauge, ObservableUpDownCounter, UpDownCounter),
    AggregationTemporality.CUMULATIVE,
)
"""Whatever the environment says: Prometheus knows no other."""

_OTLP = "opentelemetry.exporter.otlp.proto"
_EXPORTERS = {
    ("traces", "http/protobuf"): ("telemetry._lean_exporter", "LeanSpanExporter"),
    ("traces", "grpc"): (f"{_OTLP}.grpc.trace_exporter", "OTLPSpanExporter"),
    ("metrics", "http/protobuf"): (f"{_OTLP}.http.metric_exporter", "OTLPMetricExporter"),
    ("metrics", "grpc"): (f"{_OTLP}.grpc.metric_exporter", "OTLPMetricExporter"),
}
_LOGGERS = (f"{_OTLP}.http.trace_exporter", f"{_OTLP}.http.metric_exporter", f"{_OTLP}.grpc.exporter")
_AGAIN = frozenset({0, 408, 429, 502, 503, 504})
"""Statuses after which the same request may be taken later; 0 is no answer."""
_DIVIDE = frozenset({400, 413})
"""Statuses that one item of a batch may have caused for all of it."""
_PROBE_SECONDS = 0.25


class Outcome(enum.Enum):
    """What became of an export."""

    SENT = enum.auto()
    AGAIN = enum.auto()
    """Not taken now; later it may be."""
    REFUSED = enum.auto()
    """Will never be taken."""
    DIVIDE = enum.auto()
    """Will never be taken as a whole; parts of it may be."""


class Delivery:
    """Sends one signal through an exporter of this process: a forked child makes its own and leaves its parent's."""

    def __init__(self, settings: Settings, signal: Signal) -> None:
        """Make the exporter of the settings' protocol, for their endpoint."""
        self.endpoint: str = settings.endpoint(signal)
        self.protocol: str = settings.protocol(signal)
        self._signal = signal
        self._by_process: dict[int, tuple[Any, Answers | None]] = {}
        self._of_process()

    def send(self, items: Any, **options: Any) -> Outcome:  # noqa: ANN401 - spans, or metrics
        """Export, and tell what became of it; no instrumentation records the call."""
        exporter, answers = self._of_process()
        if answers:
            answers.asked = 0
        with suppress_instrumentation():
            result = exporter.export(items, **options)
        if result in (SpanExportResult.SUCCESS, MetricExportResult.SUCCESS):
            return Outcome.SENT
        return _of_answers(answers) if answers else self._of_silence()

    def shutdown(self) -> None:
        """Stop, and break off what is being repeated."""
        self.exporter.shutdown()

    @property
    def exporter(self) -> Any:  # noqa: ANN401 - of either signal and protocol
        """The SDK's exporter of this process."""
        return self._of_process()[0]

    @property
    def status(self) -> int:
        """The HTTP status of the last answer; 0 where there was none, or it is not known, as with gRPC."""
        answers = self._of_process()[1]
        return answers.status if answers else 0

    def _of_process(self) -> tuple[Any, Answers | None]:
        process = os.getpid()
        if process not in self._by_process:
            self._by_process[process] = self._make()
        return self._by_process[process]

    @only_right()
    def _make(self) -> tuple[Any, Answers | None]:
        module, name = _EXPORTERS[self._signal, self.protocol]
        for logger in _LOGGERS:
            logging.getLogger(logger).addFilter(RARELY)
        options: dict[str, Any] = {"preferred_temporality": CUMULATIVE} if self._signal == "metrics" else {}
        answers = None
        if self.protocol != "grpc" and not _has_credential_provider(self._signal):
            from telemetry._answers import Answers  # noqa: PLC0415 - imports requests, which gRPC does without

            answers = options["session"] = Answers()
        return getattr(import_module(module), name)(endpoint=self.endpoint, **options), answers

    def _of_silence(self) -> Outcome:
        """Judge a failure whose status nobody tells: where nothing listens it is the Collector that is away."""
        return Outcome.REFUSED if listens(self.endpoint) else Outcome.AGAIN


def _has_credential_provider(signal: Signal) -> bool:
    """Tell whether a session of somebody else's is asked for, whose answers we do not see."""
    prefix, last = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_", "CREDENTIAL_PROVIDER"
    return any(os.environ.get(prefix + of + last, "").strip() for of in ("", f"{signal.upper()}_"))


def _of_answers(answers: Answers) -> Outcome:
    if not answers.asked or answers.status in _DIVIDE:  # never asked: it could not be encoded, or is too large
        return Outcome.DIVIDE
    return Outcome.AGAIN if answers.status in _AGAIN else Outcome.REFUSED


def listens(endpoint: str) -> bool:
    """Tell whether anything accepts a connection there, in a quarter of a second."""
    try:
        socket.create_connection(address(endpoint), _PROBE_SECONDS).close()
    except OSError:
        return False
    return True


class CountedMetricExporter(MetricExporter):
    """Sends metrics and accounts for every point."""

    def __init__(self, delivery: Delivery, account: Account) -> None:
        """Send through `delivery`."""
        super().__init__(preferred_temporality=dict(CUMULATIVE))
        self.delivery: Delivery = delivery
        self._account = account

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: object) -> MetricExportResult:
        """Send; what is not taken now is dropped: the next export holds newer values of the same series."""
        del kwargs
        points, start = _points(metrics_data), time.perf_counter()
        self._account.create(points)
        outcome = Outcome.REFUSED
        try:
            outcome = self.delivery.send(metrics_data, timeout_millis=timeout_millis)
        finally:
            if outcome is Outcome.SENT:
                self._account.send(points)
            else:
                self._account.drop(NETWORK if outcome is Outcome.AGAIN else REFUSED, points)
        self._account.exported(time.perf_counter() - start)
        return MetricExportResult.SUCCESS if outcome is Outcome.SENT else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Do nothing: nothing is held here."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: object) -> None:
        """Stop."""
        del timeout_millis, kwargs
        self.delivery.shutdown()


def _points(data: MetricsData) -> int:
    scopes = (scope for resource in data.resource_metrics for scope in resource.scope_metrics)
    return sum(len(metric.data.data_points) for scope in scopes for metric in scope.metrics)
