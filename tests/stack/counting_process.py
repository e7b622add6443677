"""An application that makes numbered spans and a counter for some seconds, and says at its end what became of them.

`python -m tests.stack.counting_process CASE SECONDS`; prints JSON. The environment says where the Collector is.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NoReturn

import telemetry
from telemetry._runtime import current

logging.basicConfig(format="log: %(message)s")


def busy(seconds: float) -> int:
    """About 1000 spans a second."""
    tracer, until, made = telemetry.get_tracer(), time.monotonic() + seconds, 0
    while time.monotonic() < until:
        for _ in range(10):
            with tracer.start_as_current_span("counted", attributes={"number": made}):
                made += 1
        time.sleep(0.01)
    return made


def huge(_: float) -> int:
    tracer = telemetry.get_tracer()
    for number in range(20):
        with tracer.start_as_current_span("counted", attributes={"number": number}) as span:
            if number == 10:
                span.set_attribute("prompt", "x" * 20_000_000)
    return 20


def huge_message(_: float) -> int:
    for number in range(20):
        with suppress(ValueError), telemetry.get_tracer().start_as_current_span("counted"):
            raise ValueError("x" * (20_000_000 if number == 10 else 1))
    return 20


def clock(seconds: float) -> int:
    """Let the clock of the process jump half an hour back, and ahead."""
    real, shift = time.time_ns, [0]
    time.time_ns = lambda: real() + shift[0]
    made = 0
    for minutes in (0, -30, 0):
        shift[0] = minutes * 60_000_000_000
        made += busy(seconds / 3)
    return made


def callback(seconds: float) -> int:
    """Let a callback of the application's fail at each export."""

    def fail(_: object) -> NoReturn:
        raise RuntimeError("a callback of the application's")

    telemetry.get_meter().create_observable_gauge("db.size", [fail], "By")
    return busy(seconds)


def no_threads(_: float) -> int:
    """Record where no thread can be started, as in a container at its limit."""

    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    threading.Thread.start = refuse  # type: ignore[assignment, method-assign]
    telemetry.init()
    return busy(0.3)


CASES = {case.__name__: case for case in (busy, huge, huge_message, clock, callback, no_threads)}


def main(case: str, seconds: float) -> dict[str, Any]:
    if case != "no_threads":
        telemetry.init()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    made = CASES[case](seconds)
    accounts = current().accounts
    telemetry.shutdown()
    return {
        "made": made,
        "grown_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before,
        **{
            signal: {"created": account.created, "sent": account.sent, "held": account.held, "dropped": account.dropped}
            for signal, account in accounts.by_signal().items()
        },
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], float(sys.argv[2]))))
