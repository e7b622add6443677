"""The application's side of a fault: each span it made was accepted by the Collector, or is counted as dropped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bench.faults.scene import Scene, Setting, scene
from bench.faults.senders import Load
from stack.settings import ROOT
from telemetry.backends import Jaeger
from tests.conftest import clean_environment
from tests.stack.stack_helpers import eventually

NOWHERE = "http://127.0.0.1:9"


@dataclass
class Done:
    """A process that has ended: what it counted, and what it said."""

    counts: dict[str, Any]
    lines: list[str]

    @property
    def spans(self) -> dict[str, Any]:
        return self.counts["spans"]  # type: ignore[no-any-return]

    @property
    def dropped(self) -> int:
        return sum(self.spans["dropped"].values())


def start(case: str, seconds: float, endpoint: str, **environ: str) -> subprocess.Popen[str]:
    environment = clean_environment() | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "SENTRY_TRACES_SAMPLE_RATE": "1.0",
        **environ,
    }
    command = [sys.executable, "-m", "tests.stack.counting_process", case, str(seconds)]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def end(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return Done(json.loads(out), err.splitlines())


@pytest.fixture(scope="module")
def collector() -> Iterator[Scene]:
    """A Collector with its stores, and senders that hardly send."""
    with scene(Setting(spans=Load(items=1, pause_seconds=3600), samples=Load(items=1, pause_seconds=3600))) as made:
        yield made


def stored(collector: Scene, service: str, *, at_least: int) -> int:
    """Spans of this service in Jaeger, once there are so many and nothing waits any more."""
    jaeger = Jaeger(collector.place.url("JAEGER_PORT"))

    def count() -> int:
        return sum(len(trace.spans) for trace in jaeger.search(service, limit=20_000))

    eventually(lambda: count() >= at_least)
    collector.watch.look()
    assert collector.watch.queued == 0
    return count()


def test_with_the_collector_away_under_load_memory_is_bounded_drops_are_counted_and_lines_are_few() -> None:
    short, long = (end(start("busy", seconds, NOWHERE)) for seconds in (4.0, 10.0))
    for done in (short, long):
        assert done.spans["created"] == done.counts["made"] > 2048
        assert done.spans["held"] == 2048
        assert done.spans["created"] == done.spans["held"] + done.dropped
        assert len(done.lines) <= 4
    assert long.counts["grown_kib"] - short.counts["grown_kib"] < 2048


def test_while_the_collector_comes_and_goes_created_is_stored_plus_dropped(collector: Scene) -> None:
    environ = {"OTEL_BSP_MAX_QUEUE_SIZE": "600", "OTEL_SERVICE_NAME": "comes-and-goes"}
    process = start("busy", 9.0, collector.place.url("OTLP_HTTP_PORT"), **environ)
    for _ in range(2):
        time.sleep(1.5)
        collector.collector.stop(signal.SIGTERM)
        time.sleep(2.0)
        collector.collector.start()
    done = end(process)
    assert done.spans["created"] == done.counts["made"]
    assert done.dropped > 0
    assert done.spans["sent"] == done.spans["created"] - done.dropped
    assert stored(collector, "comes-and-goes", at_least=done.spans["sent"]) == done.spans["sent"]


CASES = [
    pytest.param("huge", 0.0, id="an attribute of 20 MB is cut off"),
    pytest.param("huge_message", 0.0, id="an exception's message of 20 MB is cut off"),
    pytest.param("clock", 2.0, id="a clock that jumps costs no span"),
    pytest.param("callback", 2.0, id="a callback that fails costs only itself"),
]


@pytest.mark.parametrize(("case", "seconds"), CASES)
def test_what_goes_wrong_in_the_process_costs_only_itself(collector: Scene, case: str, seconds: float) -> None:
    done = end(start(case, seconds, collector.place.url("OTLP_HTTP_PORT"), OTEL_SERVICE_NAME=case))
    assert done.dropped == 0
    assert done.spans["sent"] == done.counts["made"]
    assert stored(collector, case, at_least=done.spans["sent"]) == done.spans["sent"]
    assert sum(line.startswith("log: ") for line in done.lines) <= 2
    assert done.counts["metrics"]["sent"] == done.counts["metrics"]["created"] > 0


def test_where_no_thread_can_be_started_the_application_runs_without_telemetry_and_is_told() -> None:
    done = end(start("no_threads", 0.0, NOWHERE))
    assert done.counts["made"] > 0
    said = [line.split(";")[0] for line in done.lines if line.startswith("log: telemetry failed")]
    assert said == ["log: telemetry failed to start", "log: telemetry failed to stop an exporter"]
