"""Ways to run a Python service, and whether each unit of its work is in Prometheus and Jaeger once, by its process.

`python -m stack exec python -m bench.matrix [WAY...]` prints a table and exits 1 where a cell is wrong. Of each way:
the units that Prometheus has of each process (`service.instance.id`) against those the processes say they did;
`resets()` of these counters; the spans in Jaeger; and the seconds from SIGTERM, or from the end of its work, to the end
of all its processes where nothing listens at the Collector's address.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from telemetry.backends import Jaeger, Prometheus

UNITS = 40
BUDGET_SECONDS = 3.0
"""For each process; a parent that waits for its children comes after them."""
_NOWHERE = "http://127.0.0.1:9"
_FAST = {"OTEL_METRIC_EXPORT_INTERVAL": "300", "OTEL_BSP_SCHEDULE_DELAY": "50"}
_APP = "bench.matrix_app:app"
_BIN = Path(sys.executable).parent
_PYTHON = [sys.executable, "-m"]
_UVICORN = [*_PYTHON, "uvicorn", _APP, "--log-level", "critical", "--port", "PORT"]
_GUNICORN = [*_PYTHON, "gunicorn", _APP, "--log-level", "critical", "--bind", "127.0.0.1:PORT", "--workers", "2"]
_GUNICORN += ["--worker-class", "uvicorn_worker.UvicornWorker"]
_ZERO_CODE = [str(_BIN / "opentelemetry-instrument"), *_UVICORN]
_EXPLICIT = {"MATRIX_EXPLICIT": "1"}


@dataclass(frozen=True)
class Way:
    """One way to run: the command, what its environment adds, and how many processes work."""

    command: list[str]
    environ: dict[str, str] = field(default_factory=dict)
    processes: int = 1
    serves: bool = False

    @property
    def budget(self) -> float:
        """The seconds its end may take."""
        has_telemetry_in_parent = "--preload" in self.command or (self.processes > 1 and not self.serves)
        return BUDGET_SECONDS * (2 if has_telemetry_in_parent else 1)


def _job(program: str, processes: int = 1) -> Way:
    return Way([*_PYTHON, "bench.matrix_app", program, str(UNITS // 4)], processes=processes)


def _server(command: list[str], environ: dict[str, str], processes: int = 1) -> Way:
    return Way(command, environ, processes, serves=True)


WAYS = {
    "bare": _job("bare"),
    "uvicorn, 1 worker": _server(_UVICORN, _EXPLICIT),
    "uvicorn, 4 workers": _server([*_UVICORN, "--workers", "4"], _EXPLICIT, 4),
    "uvicorn --reload": _server([*_UVICORN, "--reload", "--reload-dir", "RELOAD"], _EXPLICIT, 2),
    "gunicorn": _server(_GUNICORN, _EXPLICIT, 2),
    "gunicorn --preload": _server([*_GUNICORN, "--preload"], _EXPLICIT | {"MATRIX_AT_IMPORT": "3"}, 3),
    "multiprocessing, fork": _job("fork", 4),
    "multiprocessing, spawn": _job("spawn", 4),
    "asyncio.run twice": _job("twice"),
    "opentelemetry-instrument": _server(_ZERO_CODE, {}),
    "both": _server(_ZERO_CODE, _EXPLICIT),
}


@dataclass
class Row:
    """What was found of one way."""

    way: str
    told: Counter[int] = field(default_factory=Counter)
    counted: list[int] = field(default_factory=list)
    requests: tuple[int, int] = (0, 0)
    resets: float = -1
    spans: int = 0
    seconds: float = -1

    @property
    def right(self) -> dict[str, bool]:
        """Each cell's verdict."""
        told = sorted(self.told.values())
        return {
            "sum": sum(self.counted) == sum(told) and self.requests[0] == self.requests[1],
            "resets": self.resets == 0,
            "instances": self.counted == told and len(told) == WAYS[self.way].processes,
            "spans": self.spans == sum(told) + self.requests[1],
            "exit": 0 <= self.seconds <= WAYS[self.way].budget,
        }

    def cells(self) -> list[str]:
        """Each cell as it is printed."""
        marks = {name: "" if right else " WRONG" for name, right in self.right.items()}
        return [
            f"{sum(self.counted)} of {sum(self.told.values())}{marks['sum']}",
            f"{self.resets:g}{marks['resets']}",
            f"{len(self.counted)} of {WAYS[self.way].processes}{marks['instances']}",
            f"{self.spans} of {sum(self.told.values()) + self.requests[1]}{marks['spans']}",
            f"{self.seconds:.1f} s{marks['exit']}",
        ]


class Run:
    """One process of a way, with all below it."""

    def __init__(self, way: Way, **environ: str) -> None:
        """Start it."""
        self._way = way
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the run
        self._folder = tempfile.TemporaryDirectory()
        self.reloaded = Path(self._folder.name) / "watched.py"
        self.reloaded.touch()
        self.port = _free_port()
        values = {"PORT": str(self.port), "RELOAD": self._folder.name, "127.0.0.1:PORT": f"127.0.0.1:{self.port}"}
        command = [values.get(word, word) for word in way.command]
        errors = subprocess.DEVNULL if "OTEL_EXPORTER_OTLP_ENDPOINT" in environ else None  # exporters complain, rightly
        environment = os.environ | _FAST | way.environ | environ
        self._process = subprocess.Popen(command, env=environment, stdout=self._output, stderr=errors)  # noqa: S603 - our own program

    def wait_until_it_serves(self) -> None:
        """Wait for the first answer."""
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise TimeoutError(f"{self._way.command} did not serve within 30 s")

    def ask(self, units: int, *, enough: int) -> Counter[int]:
        """Ask for units of work at once, and for more until `enough` processes have worked; return who did what."""
        told: Counter[int] = Counter()
        with ThreadPoolExecutor(8) as pool:
            while len(told) < enough or sum(told.values()) < units:
                for pid, done in pool.map(self._one, range(units)):
                    told[pid] += done
        return told

    def _one(self, _: int) -> tuple[int, int]:
        for attempt in range(50):
            try:
                pid, done = httpx.get(f"http://127.0.0.1:{self.port}/work", timeout=10).json()
            except httpx.ConnectError:
                time.sleep(0.1 * (attempt > 0))
            else:
                return pid, done
        raise TimeoutError("no answer")

    def stop(self) -> tuple[Counter[int], float]:
        """End it, if it does not end by itself; return what it said of its work, and the seconds its end took."""
        while not self._way.serves and not os.fstat(self._output.fileno()).st_size:
            time.sleep(0.02)  # a job says what it did before it ends
        start = time.monotonic()
        if self._way.serves:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)
        seconds = time.monotonic() - start
        self._output.seek(0)
        told: Counter[int] = Counter()
        for line in self._output:
            for pid, done in json.loads(line):
                told[pid] += done
        self._output.close()
        self._folder.cleanup()
        return told, seconds


def examine(name: str) -> Row:
    """Run one way with a Collector and without, and compare."""
    way, row, service = WAYS[name], Row(name), f"matrix-{uuid.uuid4().hex[:12]}"
    row.told, asked = _run(way, OTEL_SERVICE_NAME=service, SENTRY_TRACES_SAMPLE_RATE="1.0")
    row.requests = (0, asked)
    _, row.seconds = _run_nowhere(way)
    prometheus, jaeger = Prometheus(os.environ["TELEMETRY_PROMETHEUS_URL"]), Jaeger(os.environ["TELEMETRY_JAEGER_URL"])
    for _ in range(40):
        _look(row, service, prometheus, jaeger)
        if all(row.right.values()):
            break
        time.sleep(0.5)
    return row


def _run(way: Way, **environ: str) -> tuple[Counter[int], int]:
    run = Run(way, **environ)
    told: Counter[int] = Counter()
    if way.serves:
        run.wait_until_it_serves()
        told = _ask_and_reload(run) if "--reload" in way.command else run.ask(UNITS, enough=_workers(way))
    asked = told.total()
    printed, _ = run.stop()
    return told + printed, asked


def _workers(way: Way) -> int:
    return way.processes - (1 if "MATRIX_AT_IMPORT" in way.environ else 0)


def _ask_and_reload(run: Run) -> Counter[int]:
    told = run.ask(UNITS // 2, enough=1)
    run.reloaded.write_text("changed = True\n")
    while len(told) == 1:
        time.sleep(0.5)
        told += run.ask(1, enough=1)
    return told + run.ask(UNITS // 2, enough=1)


def _run_nowhere(way: Way) -> tuple[Counter[int], float]:
    run = Run(way, OTEL_EXPORTER_OTLP_ENDPOINT=_NOWHERE, SENTRY_DSN="http://key@127.0.0.1:9/1")
    if way.serves:
        run.wait_until_it_serves()
        run.ask(UNITS, enough=1)
    return run.stop()


def _look(row: Row, service: str, prometheus: Prometheus, jaeger: Jaeger) -> None:
    of_service = f'{{job="{service}"}}'
    by_instance = prometheus.query(f"sum by (instance) (food_photos_analyzed_total{of_service}) > 0")
    row.counted = sorted(int(sample.value) for sample in by_instance)
    requests = prometheus.scalar(f'sum(http_requests_total{{job="{service}",endpoint="/work"}})')
    row.requests = (int(requests), row.requests[1])
    row.resets = prometheus.scalar(f"sum(resets(food_photos_analyzed_total{of_service}[10m]))")
    spans = [span for trace in jaeger.search(service, limit=1500) for span in trace.spans]
    row.spans = sum(span.name in ("vision.analyze_food", "GET /work") for span in spans)


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def main(names: list[str]) -> int:
    """Examine the ways named, or all; print the table."""
    if "TELEMETRY_PROMETHEUS_URL" not in os.environ:
        print("Prometheus and Jaeger are looked into: `make up`, then `python -m stack exec python -m bench.matrix`.")
        return 2
    head = ("way to run", "sum in Prometheus", "resets", "instances", "spans in Jaeger", "exit, no Collector")
    form = "{:26}{:20}{:9}{:14}{:18}{}"
    print(form.format(*head))
    right = True
    for name in names or WAYS:
        row = examine(name)
        print(form.format(name, *row.cells()), flush=True)
        right = right and all(row.right.values())
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
