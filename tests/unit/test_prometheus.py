"""`/metrics` says what remote write says: names, labels, buckets, values; and is itself neither traced nor counted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from telemetry import catalog, instrument_fastapi, prometheus
from telemetry.accounting import Accounts
from telemetry.catalog import CATALOG, Metric
from telemetry.instruments import Instruments
from telemetry.providers import meter_provider, metric_readers, resource
from telemetry.settings import Settings
from tests.conftest import Recorded, record

PROMETHEUS = Settings(metrics_exporter="prometheus")
Series = tuple[str, frozenset[tuple[str, str]]]


def served() -> dict[Series, float]:
    """Each series that is served, with its value."""
    families = text_string_to_metric_families(prometheus.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if family.name not in ("target", "target_info")
    }


RESOURCE = {"service_name": "health-agent", "deployment_environment_name": "development"}


def labels_of(metric: Metric) -> dict[str, str]:
    return RESOURCE | {label.name: label.values[0] if label.values else "value" for label in metric.labels}


@pytest.fixture(scope="module")
def series() -> Iterator[dict[Series, float]]:
    """What is served when each metric of the catalog has the value 2."""
    provider = meter_provider(resource(PROMETHEUS), metric_readers(PROMETHEUS, Accounts()))
    instruments = Instruments(provider.get_meter("telemetry"))
    for metric in CATALOG.values():
        if metric.kind == "histogram":
            instruments.record(metric, 2, labels_of(metric))
        else:
            observed = metric.kind != "counter" or metric is catalog.PROCESS_CPU_TIME
            write = instruments.observe if observed else None
            if write is not None:
                write(metric, lambda metric=metric: [(2, labels_of(metric))])  # type: ignore[misc]
            else:
                instruments.add(metric, 2, labels_of(metric))
    found = served()
    yield found
    provider.shutdown()


@pytest.mark.parametrize("metric", [m for m in CATALOG.values() if m.kind != "histogram"], ids=lambda m: m.prometheus)
def test_a_number_has_the_catalogs_name_and_labels(series: dict[Series, float], metric: Metric) -> None:
    assert series[metric.prometheus, frozenset(labels_of(metric).items())] == 2


@pytest.mark.parametrize("metric", [m for m in CATALOG.values() if m.kind == "histogram"], ids=lambda m: m.prometheus)
def test_a_histogram_has_the_catalogs_buckets(series: dict[Series, float], metric: Metric) -> None:
    labels = set(labels_of(metric).items())
    found = {
        float(dict(key)["le"]): value
        for (name, key), value in series.items()
        if name == f"{metric.prometheus}_bucket" and {item for item in key if item[0] != "le"} == labels
    }
    assert found == {bound: float(bound >= 2) for bound in (*metric.buckets, float("inf"))}
    assert series[f"{metric.prometheus}_sum", frozenset(labels)] == 2


def test_nothing_but_the_catalog_is_served(series: dict[Series, float]) -> None:
    endings = ("", "_bucket", "_sum", "_count")
    known = {metric.prometheus + ending for metric in CATALOG.values() for ending in endings}
    assert {name for name, _ in series if not name.endswith("_created")} <= known


@pytest.fixture
def client() -> Iterator[tuple[TestClient, Recorded]]:
    """Serve an application that serves its metrics, too."""
    app = FastAPI()
    app.get("/ping")(lambda: "pong")
    for recorded in record(PROMETHEUS):
        provider = meter_provider(resource(PROMETHEUS), metric_readers(PROMETHEUS, Accounts()))
        Instruments(provider.get_meter("telemetry")).add(catalog.DOCTOR_CHECKS)
        with instrument_fastapi(app):
            yield TestClient(app), recorded
        provider.shutdown()


def test_an_instrumented_application_answers_without_recording_that(client: tuple[TestClient, Recorded]) -> None:
    asked, recorded = client
    answer = asked.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, prometheus.CONTENT_TYPE)
    assert "telemetry_doctor_checks_total{" in answer.text
    assert recorded.spans == []
    assert "http.requests" not in recorded.metrics()


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(metrics_exporter="prometheus", prometheus_port=9464)],
    ids=["not asked for", "on a port of its own"],
)
def test_otherwise_the_path_is_the_applications_own(settings: Settings) -> None:
    app = FastAPI()
    for _ in record(settings):
        with instrument_fastapi(app):
            assert TestClient(app).get("/metrics").status_code == 404


@pytest.mark.parametrize("text", ["otlp", "prometheus", "none", "otlp,prometheus", "prometheus, otlp"])
def test_exporters_can_be_named_with_commas(text: str) -> None:
    settings, errors = Settings.read({"OTEL_METRICS_EXPORTER": text})
    assert errors == []
    named = {name.strip() for name in text.split(",")}
    assert {name for name in ("otlp", "prometheus") if settings.exports_metrics_to(name)} == named - {"none"}


@pytest.mark.parametrize("text", ["otlp,none", "statsd", ","])
def test_other_exporters_are_refused_by_name(text: str) -> None:
    settings, (error,) = Settings.read({"OTEL_METRICS_EXPORTER": text})
    assert str(error).startswith("OTEL_METRICS_EXPORTER must be otlp, prometheus, both with a comma, or none")
    assert settings.metrics_exporter == "otlp"
