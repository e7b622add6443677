"""`/metrics`, where `OTEL_METRICS_EXPORTER` has `prometheus` in it: the catalog's metrics as Prometheus scrapes them.

Served by the instrumented FastAPI application, or on a port of its own where `OTEL_EXPORTER_PROMETHEUS_PORT` is set.
Each process has its own numbers: of several workers behind one port a scrape meets one at random, so give them ports
(each takes the next free one), or let metrics go out by OTLP. There are no exemplars here: the exporter has none.

https://opentelemetry-python.readthedocs.io/en/stable/exporter/prometheus/prometheus.html
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from telemetry._extras import require

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader

    from telemetry.settings import Settings

__all__ = ["CONTENT_TYPE", "PATH", "is_mounted", "reader", "render"]

PATH = "/metrics"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PROMOTED = frozenset({"service.name", "deployment.environment.name"})
"""Of the resource, labels of every series, as the Collector makes them."""
PORTS = 64
"""How many ports, from the one that is set, are tried."""

_logger = logging.getLogger("telemetry")


class _Served:
    """What this process serves."""

    registry: Any = None
    server: Any = None
    by_process = 0


def is_mounted(settings: Settings) -> bool:
    """Tell whether an instrumented application answers at `/metrics`."""
    return settings.enable_metrics and settings.exports_metrics_to("prometheus") and settings.prometheus_port is None


def reader(settings: Settings) -> MetricReader:
    """Return what makes metrics readable by `render`; raises `MissingExtraError` without the extra `prometheus`.

    Where a port is set it is opened, or the next free one: another worker may have taken it.
    """
    feature = "OTEL_METRICS_EXPORTER=prometheus"
    exporter = require("opentelemetry.exporter.prometheus", feature=feature, extra="prometheus")
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - comes with the exporter

    _close()
    _Served.registry, _Served.by_process = CollectorRegistry(), os.getpid()
    found: MetricReader = exporter.PrometheusMetricReader(
        scope_info_enabled=False, registry=_Served.registry, resource_attribute_filter=PROMOTED.__contains__
    )
    if settings.prometheus_port is not None:
        _open(settings.prometheus_host, settings.prometheus_port)
    return found


def render() -> bytes:
    """Return all metrics of this process in Prometheus's text format; none where nothing is set up."""
    if _Served.registry is None:
        return b""
    from prometheus_client import generate_latest  # noqa: PLC0415 - optional package

    return generate_latest(_Served.registry)


def _open(host: str, first: int) -> None:
    from prometheus_client import start_http_server  # noqa: PLC0415 - optional package

    for port in range(first, first + PORTS):
        try:
            _Served.server, _ = start_http_server(port, host, _Served.registry)
        except OSError:
            continue
        _logger.info("telemetry serves metrics at http://%s:%d%s", host, port, PATH)
        return
    _logger.error("telemetry serves no metrics: the ports %d to %d of %s are taken", first, first + PORTS - 1, host)


def _close() -> None:
    """Close the server of before; of a parent's only the copy of its socket is here, and no thread that serves."""
    server, _Served.server = _Served.server, None
    if server is not None:
        if _Served.by_process == os.getpid():
            server.shutdown()
        server.socket.close()
