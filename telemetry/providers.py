"""The OpenTelemetry SDK, put together: resource, tracer provider, queue of spans, meter provider.

What is not in our own settings (intervals, limits, detectors) the SDK reads from its `OTEL_*` variables itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.environment_variables import OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import OTELResourceDetector, Resource, ServiceInstanceIdResourceDetector
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from telemetry import prometheus
from telemetry._bounds import Bounds
from telemetry._catalog_meters import CatalogMeterProvider
from telemetry._compat import ProcessReader
from telemetry._guard import start_or_do_without
from telemetry._spans import LeanTracerProvider
from telemetry._users import UserProcessor
from telemetry.catalog import CATALOG
from telemetry.conversation import ConversationProcessor
from telemetry.exporters import CUMULATIVE, CountedMetricExporter, Delivery
from telemetry.redaction import TEXT_LENGTH, clean_resource
from telemetry.sampling import sampler
from telemetry.span_queue import QueueOptions, SpanQueue
from telemetry.standard import only_right
from telemetry.zero_points import ZeroPointExporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    from telemetry.accounting import Accounts
    from telemetry.settings import Settings
    from telemetry.switches import Switches

__all__ = ["meter_provider", "metric_readers", "renewed", "resource", "span_queue", "tracer_provider"]


@only_right()
def resource(settings: Settings) -> Resource:
    """Describe this process; what `OTEL_RESOURCE_ATTRIBUTES` says wins over our defaults."""
    ours: dict[str, Any] = {
        "service.name": settings.service_name,
        "deployment.environment.name": settings.environment,
    }
    if settings.release:
        ours["service.version"] = settings.release
    asked = OTELResourceDetector().detect().attributes
    found = Resource.create({**ours, **asked})
    return Resource(clean_resource(found.attributes, settings.allowed_attributes | asked.keys()), found.schema_url)


def renewed(resource: Resource) -> Resource:
    """Describe a forked child of the process that `resource` describes, as the SDK's tracer provider does."""
    return resource.merge(ServiceInstanceIdResourceDetector().detect())


@only_right()
def tracer_provider(
    settings: Settings, resource: Resource, ids: IdGenerator | None = None, switches: Switches | None = None
) -> TracerProvider:
    """Record the sampled traces; `ids` replaces random ids."""
    provider = LeanTracerProvider(sampler(settings, switches), resource, ids or RandomIdGenerator(), _span_limits())
    provider.add_span_processor(ConversationProcessor())
    provider.add_span_processor(UserProcessor())
    return provider


def _span_limits() -> SpanLimits:
    """Return the SDK's limits, with one of ours where it has none."""
    is_set = os.environ.get(OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT)
    return SpanLimits() if is_set else SpanLimits(max_attribute_length=TEXT_LENGTH)


@only_right()
def span_queue(settings: Settings, accounts: Accounts) -> SpanQueue:
    """Return what holds ended spans and sends them."""
    return SpanQueue(Delivery(settings, "traces"), accounts.spans, QueueOptions.read())


@only_right()
def meter_provider(resource: Resource, readers: Sequence[MetricReader], labels: Bounds | None = None) -> MeterProvider:
    """Record the catalog's metrics and nothing else, for `readers`; `labels` keeps theirs within bounds."""
    exemplars = os.environ.get("OTEL_METRICS_EXEMPLAR_FILTER", "").strip()
    return CatalogMeterProvider(readers, resource, _views(), labels or Bounds(), exemplars=exemplars)


@only_right()
def metric_readers(settings: Settings, accounts: Accounts) -> list[MetricReader]:
    """Return what the settings ask for: export by OTLP, `/metrics`."""
    readers: list[MetricReader] = []
    if settings.exports_metrics_to("otlp"):
        counted = CountedMetricExporter(Delivery(settings, "metrics"), accounts.metrics)
        readers.append(ProcessReader(ZeroPointExporter(counted, CUMULATIVE)))
    if settings.exports_metrics_to("prometheus"):
        readers += start_or_do_without(lambda: [prometheus.reader(settings)], list)
    return readers


def _views() -> list[View]:
    """One view a metric that the SDK observes, with its labels."""
    observed = (metric for metric in CATALOG.values() if metric.kind != "histogram")
    return [View(instrument_name=metric.name, attribute_keys=set(metric.label_names)) for metric in observed]
