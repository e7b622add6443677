"""The OpenTelemetry SDK, put together: resource, tracer provider, meter provider, exporters.

Exporters send to one OTLP endpoint over HTTP or gRPC; every other `OTEL_*` variable (headers, certificates, time-outs,
batch sizes, intervals, limits) is read by the SDK itself. Temporality is cumulative whatever the environment says:
Prometheus knows no other.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    MetricReader,
)
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import OTELResourceDetector, Resource, ServiceInstanceIdResourceDetector
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from telemetry import prometheus
from telemetry._catalog_meters import CatalogMeterProvider
from telemetry._compat import ProcessReader
from telemetry._users import UserProcessor
from telemetry.catalog import CATALOG
from telemetry.conversation import ConversationProcessor
from telemetry.redaction import clean_span
from telemetry.sampling import ChosenIds, sampler
from telemetry.standard import only_right
from telemetry.zero_points import ZeroPointExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from telemetry.settings import Settings
    from telemetry.switches import Switches

__all__ = ["address_of", "meter_provider", "metric_exporter", "renewed", "resource", "span_exporter", "tracer_provider"]

_CUMULATIVE: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, Histogram, ObservableCounter, ObservableGauge, ObservableUpDownCounter, UpDownCounter),
    AggregationTemporality.CUMULATIVE,
)


class RedactingExporter(SpanExporter):
    """Cleans every span before another exporter sends it."""

    def __init__(self, exporter: SpanExporter) -> None:
        """Send through `exporter`."""
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Clean and send."""
        return self._exporter.export([clean_span(span) for span in spans])

    def shutdown(self) -> None:
        """Stop the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what the exporter holds."""
        return self._exporter.force_flush(timeout_millis)


class ProcessExporter(SpanExporter):
    """Exports through an exporter of this process: a forked child makes its own, and leaves its parent's alone."""

    def __init__(self, make: Callable[[], SpanExporter]) -> None:
        """Have it made by `make`, now and in each forked child that exports."""
        self._make = make
        self._by_process = {os.getpid(): make()}

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send."""
        return self._of_process().export(spans)

    def shutdown(self) -> None:
        """Stop the exporter."""
        self._of_process().shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what the exporter holds."""
        return self._of_process().force_flush(timeout_millis)

    def _of_process(self) -> SpanExporter:
        process = os.getpid()
        if process not in self._by_process:
            self._by_process[process] = self._make()
        return self._by_process[process]


@only_right()
def resource(settings: Settings) -> Resource:
    """Describe this process; what `OTEL_RESOURCE_ATTRIBUTES` says wins over our defaults."""
    ours: dict[str, Any] = {
        "service.name": settings.service_name,
        "deployment.environment.name": settings.environment,
    }
    if settings.release:
        ours["service.version"] = settings.release
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes})


def renewed(resource: Resource) -> Resource:
    """Describe a forked child of the process that `resource` describes, as the SDK's tracer provider does."""
    return resource.merge(ServiceInstanceIdResourceDetector().detect())


@only_right()
def tracer_provider(
    settings: Settings, resource: Resource, ids: IdGenerator | None = None, switches: Switches | None = None
) -> TracerProvider:
    """Record the sampled traces and send them in batches from a thread of the SDK; `ids` replaces random ids."""
    provider = TracerProvider(
        sampler=sampler(settings, switches), resource=resource, id_generator=ChosenIds(ids), shutdown_on_exit=False
    )
    provider.add_span_processor(ConversationProcessor())
    provider.add_span_processor(UserProcessor())
    if settings.traces_exporter == "otlp":
        provider.add_span_processor(
            BatchSpanProcessor(RedactingExporter(ProcessExporter(lambda: span_exporter(settings))))
        )
    return provider


@only_right()
def meter_provider(
    settings: Settings, resource: Resource, readers: Sequence[MetricReader] | None = None
) -> MeterProvider:
    """Record the catalog's metrics and nothing else; `readers` replaces what the settings ask for."""
    if readers is None:
        readers = _readers(settings)
    return CatalogMeterProvider(readers, resource, shutdown_on_exit=False, views=_views())


def _readers(settings: Settings) -> list[MetricReader]:
    readers: list[MetricReader] = []
    if settings.exports_metrics_to("otlp"):
        readers.append(ProcessReader(_zero_points(settings)))
    if settings.exports_metrics_to("prometheus"):
        readers.append(prometheus.reader(settings))
    return readers


def _zero_points(settings: Settings) -> MetricExporter:
    return ZeroPointExporter(metric_exporter(settings), _CUMULATIVE)


def _views() -> list[View]:
    """One view a metric, with its buckets and labels."""
    views = []
    for metric in CATALOG.values():
        buckets = ExplicitBucketHistogramAggregation(metric.buckets) if metric.buckets else None
        keys = {label.name for label in metric.labels}
        views.append(View(instrument_name=metric.name, aggregation=buckets, attribute_keys=keys))
    return views


@only_right()
def span_exporter(settings: Settings) -> SpanExporter:
    """Return what sends spans by their protocol to their endpoint."""
    endpoint = settings.endpoint("traces")
    if settings.protocol("traces") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - slow import

        return OTLPSpanExporter(endpoint=endpoint)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter as HTTPSpanExporter,
    )

    return HTTPSpanExporter(endpoint=endpoint)


@only_right()
def metric_exporter(settings: Settings) -> MetricExporter:
    """Return what sends metrics by their protocol to their endpoint."""
    endpoint = settings.endpoint("metrics")
    if settings.protocol("metrics") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (  # noqa: PLC0415 - slow import
            OTLPMetricExporter,
        )

        return OTLPMetricExporter(endpoint=endpoint, preferred_temporality=_CUMULATIVE)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415
        OTLPMetricExporter as HTTPMetricExporter,
    )

    return HTTPMetricExporter(endpoint=endpoint, preferred_temporality=_CUMULATIVE)


def address_of(settings: Settings, signal: str) -> str:
    """Return where `traces` or `metrics` go."""
    return settings.endpoint(signal)
