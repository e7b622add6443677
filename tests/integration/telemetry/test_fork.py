"""A forked child begins anew: nothing of its parent's is counted, sent or waited for once more."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import clean_environment

PRELUDE = """
import json, os, signal, sys, threading, time
import telemetry
from telemetry import _runtime, catalog, providers
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

made = []
real = providers.metric_readers
def in_memory(settings, accounts):
    made.append(InMemoryMetricReader())
    return [made[-1]]
providers.metric_readers = in_memory

def series():
    data = made[-1].get_metrics_data()
    return {metric.name: {str(sorted(point.attributes.items())): point.value for point in metric.data.data_points}
            for resource in data.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
            if hasattr(metric.data.data_points[0], "value")}

def instance():
    return made[-1].get_metrics_data().resource_metrics[0].resource.attributes["service.instance.id"]

def in_child(run):
    "Run in a forked child; return what it returned."
    ours, theirs = os.pipe()
    sys.stdout.flush()
    if os.fork() == 0:
        signal.alarm(20)
        os.write(theirs, json.dumps(run()).encode())
        os._exit(0)
    os.close(theirs)
    with open(ours) as answer:
        return json.loads(answer.read() or "null")

def photo():
    with telemetry.food_photo_analysis(model="m") as analysis:
        analysis.result(confidence=0.9, food_count=1)
"""


def run(code: str, **environ: str) -> Any:
    """Run a program that forks; return what it printed last, as JSON."""
    environment = clean_environment() | {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} | environ
    command = [sys.executable, "-W", "error", "-c", PRELUDE + code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_child_starts_at_zero_and_counts_only_its_own() -> None:
    high, parent = run("""
telemetry.init(strict=True)
photo(), photo()
def child():
    photo()
    return series()["food.photos.analyzed"]
print(json.dumps([in_child(child), series()["food.photos.analyzed"]]))
""")
    key = "[('confidence_level', 'high')]"
    assert (high[key], parent[key]) == (1, 2)


def test_a_child_is_an_instance_of_its_own_for_metrics_and_traces_alike() -> None:
    (child_metrics, child_spans), parent = run("""
telemetry.init(strict=True)
def child():
    return instance(), _runtime.current().tracer_provider.resource.attributes["service.instance.id"]
photo()
print(json.dumps([in_child(lambda: (photo(), child())[1]), child()]))
""")
    assert child_metrics == child_spans
    assert parent[0] == parent[1] != child_metrics


def test_an_instrument_that_the_application_holds_records_in_the_child() -> None:
    assert run("""
telemetry.init(strict=True)
held = telemetry.get_meter().create_counter("food.photos.analyzed")
held.add(5, {"confidence_level": "low"})
print(json.dumps(in_child(lambda: (held.add(1, {"confidence_level": "low"}), series()["food.photos.analyzed"])[1])))
""") == {"[('confidence_level', 'low')]": 1}


def test_a_child_reports_its_own_memory_and_no_gauge_that_its_parent_has_set() -> None:
    found = run("""
telemetry.init(strict=True)
_runtime.current().instruments.set(catalog.ACTIVE_USERS, 7, {"time_period": "last_hour"})
ballast = bytearray(200_000_000)
parent = series()
def child():
    global ballast
    ballast = None
    return series()
print(json.dumps([parent, in_child(child)]))
""")
    parent, child = found
    assert parent["active.users.total"] == {"[('time_period', 'last_hour')]": 7}
    assert "active.users.total" not in child
    assert child["process.memory.usage"]["[]"] < parent["process.memory.usage"]["[]"] - 100_000_000


def test_work_of_the_parent_is_not_in_flight_in_the_child() -> None:
    assert (
        run("""
telemetry.init(strict=True)
with _runtime.current().in_flight.track("job", "importing"):
    found = in_child(lambda: series().get("work.in.flight"))
print(json.dumps(found))
""")
        is None
    )


def test_series_known_beforehand_are_at_zero_in_the_child_too() -> None:
    assert run("""
telemetry.init(strict=True)
_runtime.current().instruments.start_at_zero(catalog.FOOD_PHOTOS)
photo()
print(json.dumps(sorted(in_child(lambda: series()["food.photos.analyzed"]).values())))
""") == [0, 0, 0]


def test_forking_again_and_again_while_threads_record_and_export_never_hangs() -> None:
    assert (
        run(
            """
providers.metric_readers = real
telemetry.init()
stopped = threading.Event()
def busy():
    while not stopped.is_set():
        photo()
        telemetry.record_error(ValueError("x"), component="api")
for _ in range(3):
    threading.Thread(target=busy, daemon=True).start()
def child():
    for _ in range(20):
        photo()
        telemetry.record_error(ValueError("x"), component="api")
    telemetry.shutdown(0.2)
    return "done"
answers = [in_child(child) for _ in range(int(os.environ["FORKS"]))]
stopped.set()
print(json.dumps(answers.count("done")))
telemetry.shutdown(0.2)
""",
            FORKS=str(FORKS),
            OTEL_METRIC_EXPORT_INTERVAL="20",
            OTEL_BSP_SCHEDULE_DELAY="10",
            SENTRY_DSN="http://key@127.0.0.1:9/1",
            TELEMETRY_ERROR_WINDOW="0.01",
        )
        == FORKS
    )


FORKS = 12


def test_a_first_export_imports_nothing_whose_lock_a_child_could_inherit() -> None:
    """Of forks in the middle of `import netrc` one in ten had a child that exported nothing."""
    assert (
        run(
            """
from telemetry import _closing
providers.metric_readers = real
telemetry.init()
photo()
telemetry.record_error(ValueError("x"), component="api")
before = set(sys.modules)
_closing.flush(_runtime.current(), 0.5)
print(json.dumps(sorted(set(sys.modules) - before)), flush=True)
os._exit(0)
""",
            OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:9",
            SENTRY_DSN="http://key@127.0.0.1:9/1",
        )
        == []
    )


def test_a_child_has_the_sdks_threads_once() -> None:
    assert run("""
providers.metric_readers = real
telemetry.init(strict=True)
def threads():
    return sorted(thread.name for thread in threading.enumerate())
time.sleep(0.2)
print(json.dumps(in_child(threads) == threads()))
telemetry.shutdown(0.2)
""")


def test_an_error_that_the_parent_has_queued_is_not_sent_by_the_child() -> None:
    assert run(
        """
telemetry.init(strict=True)
import sentry_sdk
before = sentry_sdk.get_client().transport
def child():
    transport = sentry_sdk.get_client().transport
    return transport is not before and not transport._worker.is_alive
print(json.dumps(in_child(child)))
""",
        SENTRY_DSN="http://key@127.0.0.1:9/1",
    )


def test_each_process_serves_its_own_metrics_on_a_port_of_its_own() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    parent, child = run(
        """
from urllib.request import urlopen
providers.metric_readers = real
telemetry.init(strict=True)
def photos_at(port):
    text = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    return [line.split()[-1] for line in text.splitlines() if line.startswith("food_photos_analyzed_total{")]
port = int(os.environ["OTEL_EXPORTER_PROMETHEUS_PORT"])
photo(), photo()
found = in_child(lambda: (photo(), photos_at(port + 1))[1])
print(json.dumps([photos_at(port), found]))
""",
        OTEL_METRICS_EXPORTER="prometheus",
        OTEL_EXPORTER_PROMETHEUS_HOST="127.0.0.1",
        OTEL_EXPORTER_PROMETHEUS_PORT=str(port),
    )
    assert (parent, child) == (["2.0"], ["1.0"])


def test_a_child_watches_the_switches_file(tmp_path: Path) -> None:
    assert run(
        """
telemetry.init(strict=True)
def child():
    with open(os.environ["TELEMETRY_SWITCHES_FILE"], "w") as file:
        file.write("ENABLE_METRICS=false")
    for _ in range(100):
        time.sleep(0.1)
        if not _runtime.current().switches.metrics:
            return True
print(json.dumps(in_child(child)))
""",
        TELEMETRY_SWITCHES_FILE=str(tmp_path / "switches"),
    )
