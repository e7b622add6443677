"""The Collector's own metrics, and the queries of them: what came in, went out, waits and was lost.

Their names belong to the Collector's version in collector/builder.yaml.
"""

from __future__ import annotations

__all__ = [
    "COLLECTOR_METRICS", "FROM_APPS", "QUEUE_USE", "REMOTE_WRITE_METRICS", "increase", "lost", "rate",
]  # fmt: skip

COLLECTOR_METRICS = {
    "otelcol_receiver_accepted_spans_total": ("receiver",),
    "otelcol_receiver_accepted_metric_points_total": ("receiver",),
    "otelcol_receiver_refused_spans_total": ("receiver",),
    "otelcol_receiver_refused_metric_points_total": ("receiver",),
    "otelcol_receiver_failed_spans_total": ("receiver",),
    "otelcol_receiver_failed_metric_points_total": ("receiver",),
    "otelcol_exporter_queue_size": ("exporter", "data_type"),
    "otelcol_exporter_queue_capacity": ("exporter", "data_type"),
    "otelcol_exporter_sent_spans_total": ("exporter",),
    "otelcol_exporter_sent_metric_points_total": ("exporter",),
    "otelcol_exporter_send_failed_spans_total": ("exporter", "error_permanent", "error_type"),
    "otelcol_exporter_send_failed_metric_points_total": ("exporter", "error_permanent", "error_type"),
    "otelcol_exporter_enqueue_failed_spans_total": ("exporter",),
    "otelcol_exporter_enqueue_failed_metric_points_total": ("exporter",),
    "otelcol_exporter_prometheusremotewrite_translated_time_series_total": ("exporter",),
    "otelcol_processor_incoming_items_total": ("processor", "otel_signal"),
    "otelcol_processor_outgoing_items_total": ("processor", "otel_signal"),
    "otelcol_process_memory_rss_bytes": (),
    "otelcol_process_cpu_seconds_total": (),
}
"""Each with the labels that queries may name. Those of failed sends exist only once something has failed."""

REMOTE_WRITE_METRICS = {"target_info": ("service_version",)}
"""Made by remote write from the resource of each process."""

FROM_APPS = 'receiver="otlp/apps"'
QUEUE_USE = "max by (exporter) (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"


def increase(metric: str, where: str = "", by: str = "") -> str:
    """Items in the range, over all Collectors."""
    return f"sum{f' by ({by})' if by else ''} (increase({metric}{{{where}}}[$__range]))"


def rate(metric: str, where: str = "", by: str = "") -> str:
    """Items a second."""
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{{{where}}}[$__rate_interval]))"


def lost(what: str) -> str:
    """Items (`spans` or `metric_points`) each exporter gave up for good; 0 for one that never failed.

    The series of failures begin with the first one, so the 0 is taken from the queues. Remote write has none: its
    failures are repeated by the loop before it. What a stopping Collector could not send is in the queue again; what a
    full queue did not take is with the sender, who sends it again or counts it.
    """
    data_type = "traces" if what == "spans" else "metrics"
    queues = f'sum by (exporter) (otelcol_exporter_queue_size{{data_type="{data_type}"}})'
    failed = increase(f"otelcol_exporter_send_failed_{what}_total", 'error_type!="Shutdown"', by="exporter")
    return f"(({failed} and {queues}) or 0 * {queues})"
