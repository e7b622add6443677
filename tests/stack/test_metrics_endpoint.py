"""What an application serves at `/metrics` is what Prometheus has of it by remote write, series by series."""

from __future__ import annotations

import subprocess
import sys
import uuid

import httpx
from prometheus_client.parser import text_string_to_metric_families

from stack.ports import free_ports
from stack.settings import ROOT
from tests.conftest import clean_environment
from tests.stack.conftest import Pipeline
from tests.stack.stack_helpers import eventually

Found = dict[tuple[str, frozenset[tuple[str, str]]], float]
STEADY = ("http_request", "food_photo", "errors_total")


def key(name: str, labels: dict[str, str]) -> tuple[str, frozenset[tuple[str, str]]]:
    """A series without what the scrape or the pipeline adds, its bound as a number."""
    own = {label: value for label, value in labels.items() if label not in ("__name__", "job", "instance")}
    if "le" in own:
        own["le"] = str(float(own["le"]))
    return name, frozenset(own.items())


def test_metrics_are_the_same_served_and_by_remote_write(pipeline: Pipeline) -> None:
    port, service = free_ports(["API_PORT"])["API_PORT"], f"served-{uuid.uuid4().hex[:8]}"
    environ = {"OTEL_METRICS_EXPORTER": "otlp,prometheus", "OTEL_SERVICE_NAME": service, "MATRIX_EXPLICIT": "1"}
    environ |= {"OTEL_METRIC_EXPORT_INTERVAL": "500"}
    command = [sys.executable, "-m", "uvicorn", "bench.matrix_app:app", "--port", port, "--log-level", "critical"]
    process = subprocess.Popen(command, cwd=ROOT, env=clean_environment() | pipeline.environ | environ)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=8)) as client:
            for _ in range(3):
                client.get("/work")
            client.get("/nowhere")
            served = eventually(lambda: serves(client))
            wanted = {series: value for series, value in served.items() if series[0].startswith(STEADY)}
            assert len(wanted) > 20
            eventually(lambda: {s: v for s, v in stored(pipeline, service).items() if s in wanted} == wanted)
            extra = {s for s in stored(pipeline, service) if s[0].startswith(STEADY)} - set(wanted)
            assert extra == set()
    finally:
        process.terminate()
        process.wait(10)


def serves(client: httpx.Client) -> Found:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        key(sample.name, sample.labels): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def stored(pipeline: Pipeline, service: str) -> Found:
    samples = pipeline.prometheus.query(f'{{job="{service}"}}')
    return {key(sample.labels["__name__"], sample.labels): sample.value for sample in samples}
