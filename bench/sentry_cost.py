"""What Sentry costs: an error in a storm, and memory over many traces. `python bench/sentry_cost.py`."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import psutil

import telemetry

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

ERRORS, TRACES = 10_000, 50_000


class Sink(BaseHTTPRequestHandler):
    """Accepts everything and keeps nothing."""

    def do_POST(self) -> None:
        """Read and forget."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def serve(told: Connection) -> None:
    """Run the sink in a process of its own, so that its memory and its time are not ours."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    told.send(server.server_port)
    server.serve_forever()


def fail_value() -> None:
    """Be the first kind."""
    raise ValueError("bad")


def fail_key() -> None:
    """Be the second kind."""
    raise KeyError("bad")


def fail_because() -> None:
    """Be the third kind."""
    try:
        fail_value()
    except ValueError as error:
        raise RuntimeError("bad") from error


def deep(depth: int, function: Callable[[], None]) -> None:
    """Fail under as many frames as an application has."""
    if depth:
        deep(depth - 1, function)
    else:
        function()


def storm(depth: int) -> tuple[float, float]:
    """Record errors of three kinds in spans; returns the average in microseconds and the longest in milliseconds."""
    total = longest = 0.0
    for number in range(ERRORS):
        with telemetry.get_tracer().start_as_current_span("storm"):
            try:
                deep(depth, (fail_value, fail_key, fail_because)[number % 3])
            except Exception as error:  # noqa: BLE001 - the three kinds
                start = time.perf_counter()
                telemetry.record_error(error, component="api")
                seconds = time.perf_counter() - start
                total, longest = total + seconds, max(longest, seconds)
    return total / ERRORS * 1e6, longest * 1e3


def traces(number: int) -> None:
    """Make short traces; of every third the parent ends before its child."""
    tracer = telemetry.get_tracer()
    for index in range(number):
        with tracer.start_as_current_span("request"), tracer.start_as_current_span("query"):
            left = tracer.start_span("left over")
            if index % 3:
                left.end()
        if index % 3 == 0:
            left.end()


def memory_mib() -> float:
    """Return what the process holds now."""
    return psutil.Process().memory_info().rss / 2**20


def measure(rate: str, address: str) -> None:
    """Measure at one sampling rate, in a process of its own."""
    os.environ |= {"SENTRY_DSN": address, "SENTRY_TRACES_SAMPLE_RATE": rate, "TELEMETRY_ERROR_WINDOW": "600"}
    os.environ |= {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    telemetry.init()
    for depth in (0, 30):
        average, longest = storm(depth)
        say(f"rate {rate}  storm, {depth:>2} frames  {average:.0f} us an error, longest {longest:.0f} ms")
    half = TRACES // 2
    traces(half)
    before = memory_mib()
    start = time.perf_counter()
    traces(half)
    micros = (time.perf_counter() - start) / half * 1e6
    say(f"rate {rate}  {TRACES} traces      {micros:.0f} us a trace of 3 spans, second half "
        f"{memory_mib() - before:+.1f} MiB of {memory_mib():.0f}")  # fmt: skip
    telemetry.shutdown()


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Measure sampled and not, each in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    receiver, sender = spawn.Pipe()
    sink = spawn.Process(target=serve, args=(sender,), daemon=True)
    sink.start()
    address = f"http://key@127.0.0.1:{receiver.recv()}/1"
    for rate in ("1", "0"):
        process = spawn.Process(target=measure, args=(rate, address))
        process.start()
        process.join()
    sink.terminate()


if __name__ == "__main__":
    main()
