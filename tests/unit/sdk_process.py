"""What OpenTelemetry's SDK made of its variables in a process that only calls `telemetry.init()`, as JSON."""

from __future__ import annotations

import json
import os
import ssl
import sys
from typing import Any

import telemetry
from telemetry._runtime import current
from telemetry.span_queue import SpanQueue

# Only what the SDK made of a path is looked at, not what the file holds.
ssl.SSLContext.load_verify_locations = lambda *_, **__: None  # type: ignore[method-assign]


def exporter_facts(exporter: Any) -> dict[str, Any]:
    client: Any = getattr(exporter, "_client", None)
    if hasattr(client, "_timeout"):  # HTTP
        session = client._transport._session
        facts = {"HEADERS": client._headers.get("x-key"), "TIMEOUT": client._timeout, "ENDPOINT": exporter._endpoint}
        certificates = session.cert if isinstance(session.cert, tuple) else (session.cert, None)
        files = dict(zip(("CLIENT_CERTIFICATE", "CLIENT_KEY"), certificates, strict=True))
        return {**facts, "COMPRESSION": client._compression.value, "CERTIFICATE": session.verify, **files}
    facts = {"HEADERS": dict(exporter._headers).get("x-key"), "TIMEOUT": exporter._timeout}
    return {**facts, "ENDPOINT": exporter._endpoint, "COMPRESSION": exporter._compression.name.lower(),
            "INSECURE": exporter._insecure}  # fmt: skip


def limits(limits: Any) -> dict[str, Any]:
    return {
        "OTEL_ATTRIBUTE_COUNT_LIMIT": limits.max_attributes,
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": limits.max_attribute_length,
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": limits.max_span_attributes,
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": limits.max_span_attribute_length,
        "OTEL_SPAN_EVENT_COUNT_LIMIT": limits.max_events,
        "OTEL_SPAN_LINK_COUNT_LIMIT": limits.max_links,
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": limits.max_event_attributes,
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": limits.max_link_attributes,
    }


def main() -> None:
    telemetry.init()
    runtime: Any = current()
    processors = runtime.tracer_provider._active_span_processor._span_processors
    (queue,) = [processor for processor in processors if isinstance(processor, SpanQueue)]
    meters = runtime.meter_provider._real
    (reader,) = meters._metric_readers
    facts = {
        **limits(runtime.tracer_provider._span_limits),
        "OTEL_BSP_SCHEDULE_DELAY": queue.options.delay_seconds * 1000,
        "OTEL_BSP_MAX_QUEUE_SIZE": queue.options.size,
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": queue.options.batch,
        "OTEL_METRIC_EXPORT_INTERVAL": reader._export_interval_millis,
        "OTEL_METRIC_EXPORT_TIMEOUT": reader._export_timeout_millis,
        "OTEL_METRICS_EXEMPLAR_FILTER": type(meters._sdk_config.exemplar_filter).__name__,
        "OTEL_RESOURCE_ATTRIBUTES": runtime.tracer_provider.resource.attributes.get("team"),
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": runtime.tracer_provider.resource.attributes.get("os.type"),
        "OTEL_SEMCONV_STABILITY_OPT_IN": os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"],
        "traces": exporter_facts(queue.delivery.exporter),
        "metrics": exporter_facts(reader._exporter._exporter.delivery.exporter),
    }
    sys.stdout.write(json.dumps(facts))
    sys.stdout.flush()
    os._exit(0)  # there is no Collector to be told


if __name__ == "__main__":
    main()
