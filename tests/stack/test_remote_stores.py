"""Stores behind authentication: with the right headers they get everything, with wrong ones the loss is counted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest

from bench.faults.senders import Ledger, Load, MetricSender, Sender, SpanSender
from bench.faults.servers import COLLECTOR, Place, Server, quiet, servers
from bench.faults.watch import Watch
from tests.conftest import http_server
from tests.stack.stack_helpers import eventually

ITEMS = 3


@dataclass
class Store:
    """Takes only what has the right header; knows the paths that it was asked for."""

    traces: str
    """Path of the OTLP endpoint, to which the exporter adds `/v1/traces`."""
    metrics: str
    header: tuple[str, str]
    took: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[str]:
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                name, value = store.header
                is_right = self.headers[name] == value
                (store.took if is_right else store.refused).append(self.path)
                self.send_response(200 if is_right else 401)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with http_server(Handler) as address:
            yield f"http://{address}"


def grafana_cloud() -> Store:
    credentials = base64.b64encode(b"123456:token").decode()
    return Store("/otlp", "/api/prom/push", ("authorization", f"Basic {credentials}"))


def mimir_and_tempo() -> Store:
    return Store("", "/api/v1/push", ("x-scope-orgid", "health"))


@contextmanager
def collector(store: Store, url: str, folder: Path, header: str) -> Iterator[tuple[Place, Server]]:
    """A Collector that shows its stores this header."""
    headers = f'{{{store.header[0]}: "{header}"}}'
    variables = {
        "TRACE_EXPORTERS": "[otlp_http/tempo]",
        "TEMPO_OTLP_ENDPOINT": url + store.traces,
        "PROMETHEUS_WRITE_ENDPOINT": url + store.metrics,
        "TEMPO_HEADERS": headers,
        "PROMETHEUS_HEADERS": headers,
    }
    place = Place(folder, variables)
    server = servers(place, (quiet(folder),))[COLLECTOR]
    server.start()
    try:
        yield place, server
    finally:
        server.stop()


def send(place: Place) -> None:
    kinds: tuple[type[Sender], ...] = (SpanSender, MetricSender)
    for kind in kinds:
        body, _, _ = kind("", Ledger(), "remote", Load(items=ITEMS)).request()
        headers = {"content-type": "application/x-protobuf"}
        url = place.url("OTLP_HTTP_PORT") + kind.path
        httpx.post(url, content=body, headers=headers, trust_env=False).raise_for_status()


def dropped(watch: Watch) -> dict[str, int]:
    exporters = {"spans": "otlp_http/tempo", "metric_points": "otlp_http/loop"}
    return {
        what: watch.total(f"otelcol_exporter_send_failed_{what}", exporter=exporter, error_permanent="true")
        for what, exporter in exporters.items()
    }


STORES = [pytest.param(grafana_cloud, id="Grafana Cloud"), pytest.param(mimir_and_tempo, id="Mimir and Tempo")]


@pytest.mark.parametrize("make", STORES)
def test_with_its_header_a_store_gets_both_signals(make: Callable[[], Store], tmp_path: Path) -> None:
    store = make()
    with store.serving() as url, collector(store, url, tmp_path, store.header[1]) as (place, _):
        send(place)
        eventually(lambda: len(store.took) >= 2)
    assert set(store.took) == {f"{store.traces}/v1/traces", store.metrics}
    assert store.refused == []


def test_what_is_refused_for_a_wrong_token_is_counted_as_dropped_and_not_tried_again(tmp_path: Path) -> None:
    store = grafana_cloud()
    with store.serving() as url, collector(store, url, tmp_path, "Basic wrong") as (place, server):
        watch = Watch(f"{place.url('COLLECTOR_METRICS_PORT')}/metrics", server, tmp_path)
        send(place)
        eventually(lambda: watch.look() and dropped(watch) == {"spans": ITEMS, "metric_points": ITEMS})
    assert len(store.refused) == 2
    assert store.took == []
