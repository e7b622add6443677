"""The processes of a run: one server a variant, a sink, a PostgreSQL."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psutil
import psycopg

from bench.overhead.variants import VARIANTS
from examples.health_agent.embedded import passing_url
from stack import settings
from stack.build.venv import ensure_venv
from stack.ports import free_ports
from stack.settings import ROOT

if TYPE_CHECKING:
    from contextlib import ExitStack

__all__ = ["Process", "Server", "ground", "start"]

_START_SECONDS = 120.0
_COLLECTION_SECONDS = 0.7
_TABLES = """
CREATE TABLE foods (id int PRIMARY KEY, name text, kcal int);
INSERT INTO foods SELECT number, 'food ' || number, number FROM generate_series(0, 999) number;
CREATE TABLE entries (food int, grams int);
CREATE INDEX ON entries (food);
"""
_QUICKLY = {
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "ELASTIC_APM_API_REQUEST_TIME": "1s",
    "DD_TRACE_WRITER_INTERVAL_SECONDS": "1",
}
"""Each sends what it has within the time that is measured; a second is Datadog's own, the others' is longer."""


def _environment(sink: int, endpoint: str, database: str) -> dict[str, str]:
    """Return what every variant is told: the same Collector, database and sink."""
    prefixes = ("OTEL_", "SENTRY_", "TELEMETRY_", "ENABLE_", "DD_", "ELASTIC_", "PYTHON")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return clean | _QUICKLY | {
        "DATABASE_URL": database,
        "BOT_API_PORT": str(sink),
        "OTEL_PYTHON_FASTAPI_EXCLUDED_URLS": "/webhook/",
        "PYTHONPATH": str(ROOT),
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_SERVICE_NAME": "bench",
        "SENTRY_DSN": f"http://key@127.0.0.1:{sink}/1",
        "ELASTIC_APM_SERVER_URL": f"http://127.0.0.1:{sink}",
        "ELASTIC_APM_CLOUD_PROVIDER": "none",
        "ELASTIC_APM_CENTRAL_CONFIG": "false",
        "DD_TRACE_AGENT_URL": f"http://127.0.0.1:{sink}",
        "DD_REMOTE_CONFIGURATION_ENABLED": "false",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
        "DD_RUNTIME_METRICS_ENABLED": "false",
    }  # fmt: skip


def _clock_of(pid: int) -> int:
    """Return the clock of a process's processor time, in nanoseconds where `/proc` counts hundredths of a second.

    https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
    """
    return (~pid << 3) | 2


class Process:
    """A process that listens on a port of its own; a context manager that ends it."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        """Start it; the port is the command's last word."""
        self.port: int = int(free_ports(["SERVER"])["SERVER"])
        self._command = [*command, str(self.port)]
        self._process = subprocess.Popen(self._command, env=environ, cwd=ROOT)  # noqa: S603 - our own
        self._seen = psutil.Process(self._process.pid)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def wait(self, seconds: float = _START_SECONDS) -> None:
        """Wait until it serves; raises `TimeoutError`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError(f"{self._command} does not serve")

    @property
    def cpu(self) -> float:
        """The seconds of processor time it has used, in all its threads."""
        return time.clock_gettime(_clock_of(self.pid))

    @property
    def memory(self) -> int:
        """Its resident bytes."""
        return int(self._seen.memory_info().rss)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Server(Process):
    """A variant of the application."""

    def __init__(self, name: str, python: Path, environ: dict[str, str]) -> None:
        """Start it."""
        self.name: str = name
        self.start_cpu: float = 0.0
        self.start_memory: int = 0
        command = [str(python), "-W", "ignore", "-m", "bench.overhead.app", name]
        super().__init__(command, environ | VARIANTS[name].environ)

    def wait(self, seconds: float = _START_SECONDS) -> None:
        """Wait until it serves, and note what it took until then; raises `TimeoutError`."""
        super().wait(seconds)
        self.start_cpu, self.start_memory = self.cpu, self.memory

    def collect_garbage(self) -> None:
        """Have it look through all objects, which takes less than a second."""
        os.kill(self.pid, signal.SIGUSR1)
        time.sleep(_COLLECTION_SECONDS)


class Sink(Process):
    """What takes the peers' own protocols."""

    def __init__(self, python: Path) -> None:
        """Start it."""
        super().__init__([str(python), "-m", "bench.overhead.sink"], dict(os.environ) | {"PYTHONPATH": str(ROOT)})


def ground(running: ExitStack) -> tuple[Path, dict[str, str]]:
    """Start a database and a sink, which end with `running`; return the variants' interpreter and environment."""
    python = ensure_venv(settings.load(), "peers") / "bin/python"
    compiled = running.enter_context(TemporaryDirectory())
    database = passing_url()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_TABLES.encode())
    sink = Sink(Path(sys.executable))
    running.callback(sink.stop)
    sink.wait()
    endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    return python, _environment(sink.port, endpoint, database) | {"PYTHONPYCACHEPREFIX": compiled}


def start(names: list[str], python: Path, environ: dict[str, str], running: ExitStack) -> list[Server]:
    """Start a server a variant, one after the other; all end with `running`."""
    servers = []
    for name in names:
        server = Server(name, python, environ)
        running.callback(server.stop)
        server.wait()
        servers.append(server)
    return servers
