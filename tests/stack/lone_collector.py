"""The stack's Collector by itself, in front of a server that keeps what it is sent."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from stack import build, settings
from stack.ports import free_ports
from telemetry._sink import Sink, receiving
from tests.snappy import decompress
from tests.stack.stack_helpers import eventually

CONFIG = settings.ROOT / "collector" / "config.yaml"
GATE = "--feature-gates=exporter.prometheusremotewritexporter.RetryOn429"
PORTS = ["OTLP_GRPC_PORT", "OTLP_HTTP_PORT", "COLLECTOR_HEALTH_PORT", "COLLECTOR_METRICS_PORT",
         "COLLECTOR_LOOP_PORT", "COLLECTOR_OWN_PORT"]  # fmt: skip


@dataclass
class LoneCollector:
    """`otlp` and `grpc` take; `sink` has what came out; `folder` holds its log and its queue."""

    process: subprocess.Popen[bytes]
    otlp: str
    grpc: str
    sink: Sink
    folder: Path

    def send(self, signal: str, body: Any, **headers: str) -> httpx.Response:
        """Send JSON or protobuf."""
        url = f"{self.otlp}/v1/{signal}"
        if isinstance(body, bytes):
            kind = {"content-type": "application/x-protobuf"} | headers
            return httpx.post(url, content=body, headers=kind, trust_env=False, timeout=30)
        return httpx.post(url, json=body, headers=headers, trust_env=False, timeout=30)

    def log(self) -> str:
        """What it has said."""
        return (self.folder / "collector.log").read_text(errors="replace")

    def spans_out(self) -> bytes:
        """What a trace store would have got."""
        return b"".join(request.body for request in self.sink.of("/v1/traces"))

    def metrics_out(self) -> bytes:
        """What Prometheus would have got."""
        return b"".join(decompress(request.body) for request in self.sink.of("/api/v1/write"))


@contextmanager
def lone_collector(folder: Path, *configs: Path, **environ: str) -> Iterator[LoneCollector]:
    """Run it until the block is left, with the stack's configuration or with these."""
    ports = free_ports(PORTS)
    binary = build.binaries(settings.load())["otelcol"]
    with receiving() as sink, (folder / "collector.log").open("wb") as log:
        environment = {
            "PATH": os.environ["PATH"], **ports, "COLLECTOR_QUEUE_DIR": str(folder / "queue"),
            "JAEGER_OTLP_ENDPOINT": sink.url, "PROMETHEUS_WRITE_ENDPOINT": f"{sink.url}/api/v1/write",
        } | environ  # fmt: skip
        command = [str(binary), *(f"--config={config}" for config in configs or (CONFIG,)), GATE]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        http, grpc = (f"http://127.0.0.1:{ports[name]}" for name in ("OTLP_HTTP_PORT", "OTLP_GRPC_PORT"))
        found = LoneCollector(process, http, grpc, sink, folder)
        try:
            eventually(lambda: _answers(ports["COLLECTOR_HEALTH_PORT"]))
            yield found
        finally:
            process.terminate()
            process.wait(20)


def _answers(port: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
