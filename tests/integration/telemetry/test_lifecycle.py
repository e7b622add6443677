"""Start and stop as an application does, in a process of its own: switches, no Collector, a deadline."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

import pytest

from tests.conftest import clean_environment, http_server
from tests.otlp import receiving

UNSENT = re.compile(r"without having sent 100 spans and \d\d metric points\n")
UNSENT_WITH_SENTRY = re.compile(r"without having sent 100 spans, \d\d metric points, 1 error and 100 transactions\n")
NOWHERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
WORK = """
import time, telemetry
from telemetry import catalog, _runtime
telemetry.init()
telemetry.init()
for _ in range(100):
    with telemetry.get_tracer().start_as_current_span("work") as span:
        _runtime.current().instruments.add(catalog.FOOD_PHOTOS, 1, {"confidence_level": "high"})
        telemetry.record_error(ValueError("x"), component="api")
        recording = span.is_recording()
start = time.monotonic()
%s
print(recording, round(time.monotonic() - start, 1))
"""


def run(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code]
    environment = clean_environment() | environ
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_without_a_collector_the_application_runs_and_stops_within_three_seconds(protocol: str) -> None:
    environ = NOWHERE | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "SENTRY_DSN": "http://key@127.0.0.1:9/1"}
    done = run(WORK % "sent = telemetry.shutdown(3.0)", **environ)
    recording, seconds = done.stdout.split()
    assert (done.returncode, recording) == (0, "True")
    assert float(seconds) <= 1.5
    assert UNSENT_WITH_SENTRY.search(done.stderr)


def test_a_collector_that_accepts_and_never_answers_holds_nobody_longer_than_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        endpoint = f"http://127.0.0.1:{black_hole.getsockname()[1]}"
        done = run(WORK % "telemetry.shutdown(2.0)", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    recording, seconds = done.stdout.split()
    assert (done.returncode, recording) == (0, "True")
    assert 1.9 <= float(seconds) <= 2.3


def test_a_signals_own_address_decides_how_long_it_is_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        slow = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{black_hole.getsockname()[1]}/v1/traces"}
        done = run(WORK % "telemetry.shutdown(2.0)", **NOWHERE, **slow)
    assert done.returncode == 0
    assert 1.9 <= float(done.stdout.split()[1]) <= 2.3


def test_an_application_that_forgets_to_stop_it_still_exits_in_time() -> None:
    start = time.monotonic()
    done = run(WORK % "pass", **NOWHERE)
    assert done.returncode == 0
    assert time.monotonic() - start < 8


@pytest.mark.parametrize(
    ("environ", "recording"),
    [
        ({"ENABLE_TRACING": "false"}, "False"),
        ({"OTEL_SDK_DISABLED": "true"}, "False"),
        ({"ENABLE_METRICS": "false", "OTEL_TRACES_EXPORTER": "none"}, "True"),
        ({"ENABLE_TRACING": "false", "ENABLE_METRICS": "false", "ENABLE_SENTRY": "false"}, "False"),
    ],
    ids=["no tracing", "SDK disabled", "no metrics", "all off"],
)
def test_a_switch_turns_its_part_off_and_nothing_else(environ: dict[str, str], recording: str) -> None:
    done = run(WORK % "telemetry.shutdown()", **NOWHERE | environ)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == recording


def test_a_wrong_setting_is_one_log_line_and_the_application_runs() -> None:
    done = run(WORK % "telemetry.shutdown()", ENABLE_METRICS="yess", OTEL_TRACES_EXPORTER="none", ENABLE_TRACING="no")
    assert done.returncode == 0
    assert done.stderr.count('ENABLE_METRICS must be true or false (got "yess"); using True.') == 1


WITHOUT_PACKAGE = """
import sys
class Missing:
    def find_spec(self, name, *_):
        if name.startswith(%r):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
MISSING = {
    "sentry": ({"SENTRY_DSN": "http://key@127.0.0.1:9/1"}, "sentry_sdk"),
    "prometheus": ({"OTEL_METRICS_EXPORTER": "otlp,prometheus"}, "opentelemetry.exporter.prometheus"),
}


@pytest.mark.parametrize("extra", MISSING)
def test_a_package_that_is_missing_is_one_line_and_the_rest_runs(extra: str, receiver: str) -> None:
    environ, package = MISSING[extra]
    code = WITHOUT_PACKAGE % package + WORK % "telemetry.shutdown()"
    done = run(code, OTEL_EXPORTER_OTLP_ENDPOINT=receiver, **environ)
    assert (done.returncode, done.stdout.split()[0]) == (0, "True")
    assert re.fullmatch(rf'.* needs the package .*: pip install ".*\[{extra}\]"; going on without\n', done.stderr)
    assert {"/v1/traces", "/v1/metrics"} <= set(Receiver.paths)


@pytest.mark.parametrize("extra", MISSING)
def test_strict_raises_on_a_package_that_is_missing(extra: str) -> None:
    environ, package = MISSING[extra]
    done = run(WITHOUT_PACKAGE % package + "import telemetry; telemetry.init(strict=True)", **environ)
    assert done.returncode == 1
    assert "MissingExtraError: " in done.stderr


def test_strict_raises_on_a_wrong_setting() -> None:
    done = run("import telemetry; telemetry.init(strict=True)", ENABLE_METRICS="yess")
    assert done.returncode == 1
    assert "SettingError: ENABLE_METRICS must be true or false" in done.stderr


def test_without_init_everything_is_there_and_does_nothing() -> None:
    code = """
import telemetry
with telemetry.get_tracer().start_as_current_span("x"), telemetry.food_photo_analysis(model="m") as analysis:
    analysis.result(confidence=1.0, food_count=1)
    telemetry.set_user_context("1"); telemetry.set_tag("a", "b"); telemetry.add_breadcrumb("c", "d")
    telemetry.record_error(ValueError("x"))
    print(telemetry.save_context(), telemetry.shutdown())
"""
    done = run(code)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "{} True", "")


class Receiver(BaseHTTPRequestHandler):
    """Takes whatever is sent, and remembers where to."""

    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[str]:
    """Receive what is exported; return the endpoint."""
    Receiver.paths.clear()
    with http_server(Receiver) as address:
        yield f"http://{address}"


END = "import os, signal, sys; os.kill(os.getpid(), signal.SIGTERM); time.sleep(20)"


def test_at_sigterm_what_is_held_is_sent_and_the_process_ends_by_the_signal(receiver: str) -> None:
    done = run(WORK % END, OTEL_EXPORTER_OTLP_ENDPOINT=receiver)
    assert done.returncode == -signal.SIGTERM
    assert {"/v1/traces", "/v1/metrics"} <= set(Receiver.paths)


FATES = {"taken late": (200, "telemetry.sent"), "refused": (400, "telemetry.dropped")}


@pytest.mark.parametrize(("status", "fate"), FATES.values(), ids=FATES.keys())
def test_the_last_metrics_of_a_process_tell_what_became_of_its_last_spans(status: int, fate: str) -> None:
    def answer(names: list[str]) -> int:
        if "work" not in names:
            return 200
        time.sleep(0.2 if status == 200 else 0)
        return status

    with receiving() as collector:
        collector.answer = answer
        done = run(WORK % "telemetry.shutdown(3.0)", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert done.returncode == 0, done.stderr
    last = [metric for metric in collector.metrics if metric.name == fate][-1]
    spans = [point for point in last.sum.data_points if "spans" in str(point.attributes)]
    assert sum(point.as_int for point in spans) == 100


def test_a_handler_of_the_applications_own_stays_in_force(receiver: str) -> None:
    mine = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    done = run(mine + WORK % END, OTEL_EXPORTER_OTLP_ENDPOINT=receiver)
    assert done.returncode == 7
    assert {"/v1/traces", "/v1/metrics"} <= set(Receiver.paths)


def test_at_sigterm_a_collector_that_never_answers_holds_nobody_longer_than_the_budget() -> None:
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        endpoint = f"http://127.0.0.1:{black_hole.getsockname()[1]}"
        done = run(TIMED + WORK % END, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    assert done.returncode == -signal.SIGTERM
    assert UNSENT.search(done.stderr)


def test_the_first_process_of_a_container_sends_at_sigterm_and_goes_on_as_it_would_without_us(receiver: str) -> None:
    own_processes = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*own_processes, "true"], capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("process namespaces are not allowed here")
    code = """
import os, signal, time, telemetry
telemetry.init()
with telemetry.get_tracer().start_as_current_span("before"):
    pass
os.kill(os.getpid(), signal.SIGTERM)
with telemetry.get_tracer().start_as_current_span("after") as span:
    print(os.getpid(), span.is_recording(), flush=True)
os._exit(7)
"""
    command = [*own_processes, sys.executable, "-W", "error", "-c", code]
    environ = clean_environment() | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert (done.returncode, done.stdout) == (7, "1 True\n"), done.stderr
    assert {"/v1/traces", "/v1/metrics"} <= set(Receiver.paths)


TIMED = "import faulthandler; faulthandler.dump_traceback_later(8, exit=True)\n"


def test_awaited_shutdown_leaves_the_event_loop_running() -> None:
    code = """
import asyncio
async def main():
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1
    ticking = asyncio.create_task(tick())
    await telemetry.shutdown_async(1.0)
    ticking.cancel()
    return ticks > 30
recording = asyncio.run(main())
"""
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        endpoint = f"http://127.0.0.1:{black_hole.getsockname()[1]}"
        done = run(WORK % code, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
    recording, seconds = done.stdout.split()
    assert (done.returncode, recording) == (0, "True")
    assert 0.9 <= float(seconds) <= 1.5


def test_what_a_flush_has_used_the_end_of_the_process_has_no_more() -> None:
    code = "from telemetry import _closing; _closing.flush(_runtime.current(), 2.0); telemetry.shutdown(2.0)"
    with socket.create_server(("127.0.0.1", 0)) as black_hole:
        done = run(WORK % code, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{black_hole.getsockname()[1]}")
    assert 1.9 <= float(done.stdout.split()[1]) <= 2.6
