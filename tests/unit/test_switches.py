"""The kill switches while the application runs: by a file, off and on again, each by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import telemetry
from telemetry import catalog, sentry
from telemetry._meters import RenewableMeterProvider
from telemetry._runtime import current
from telemetry.entry import Root, root_span
from telemetry.settings import Settings
from telemetry.switches import Switches, SwitchesFile, watch
from telemetry.testing import Capture
from tests.conftest import clean_environment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "switches"


def follow(capture: Capture, path: Path) -> SwitchesFile:
    return SwitchesFile(str(path), capture.runtime.switches, Settings())


def work() -> str | None:
    """Do one of everything; return the id of the error's event."""
    with root_span(Root("work")), telemetry.get_tracer().start_as_current_span("inside"):
        catalog_labels = {"message_type": "text", "status": "success"}
        current().instruments.add(catalog.TELEGRAM_MESSAGES, 1, catalog_labels)
        current().instruments.record(catalog.TELEGRAM_MESSAGE_DURATION, 1, {"message_type": "text"})
        return telemetry.record_error(ValueError("broken"))


def seen(capture: Capture) -> tuple[float, ...]:
    number = capture.number
    return (len(capture.spans), number("telegram_messages_total"), number("telegram_message_duration_seconds"),
            len(capture.events))  # fmt: skip


@pytest.mark.parametrize(
    ("line", "added"),
    [
        ("ENABLE_TRACING=false", (0, 1, 1, 1)),
        ("ENABLE_METRICS=off", (2, 0, 0, 1)),
        ("ENABLE_SENTRY = 0", (2, 1, 1, 0)),
        ("# ENABLE_TRACING=false\n\nENABLE_TRACING=true", (2, 1, 1, 1)),
    ],
    ids=["tracing", "metrics", "sentry", "a comment"],
)
def test_a_switch_is_off_while_the_file_says_so_and_on_again_after(
    telemetry_capture: Capture, path: Path, line: str, added: tuple[float, ...]
) -> None:
    file = follow(telemetry_capture, path)
    path.write_text(line)
    file.read()
    work()
    assert seen(telemetry_capture) == added
    path.unlink()
    file.read()
    work()
    assert seen(telemetry_capture) == tuple(before + more for before, more in zip(added, (2, 1, 1, 1), strict=True))


def test_with_tracing_off_no_root_is_left_afterwards_and_the_ids_are_there_all_the_same(
    telemetry_capture: Capture,
) -> None:
    telemetry_capture.runtime.switches.tracing = False
    seen: list[trace.SpanContext] = []

    def fail() -> None:
        with root_span(Root("work")):
            seen.append(trace.get_current_span().get_span_context())
            raise ValueError("lost")

    with pytest.raises(ValueError, match="lost"):
        fail()
    assert seen[0].is_valid
    assert not seen[0].trace_flags.sampled
    assert telemetry_capture.spans == []


def test_with_metrics_off_gauges_are_not_collected(telemetry_capture: Capture) -> None:
    instruments = telemetry_capture.runtime.instruments
    instruments.observe(catalog.DB_CONNECTIONS_ACTIVE, lambda: [(2, {})])
    telemetry_capture.runtime.switches.metrics = False
    assert telemetry_capture.number("db_connections_active") == 0
    telemetry_capture.runtime.switches.metrics = True
    assert telemetry_capture.number("db_connections_active") == 2


def test_a_change_is_logged_once(telemetry_capture: Capture, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = follow(telemetry_capture, path)
    path.write_text("ENABLE_TRACING=false")
    for _ in range(3):
        file.read()
    assert [record.message for record in caplog.records] == [f"ENABLE_TRACING is false from now on, by {path}."]


@pytest.mark.parametrize("line", ["ENABLE_TRACING=maybe", "ENABLE_ALL=false", "nonsense"])
def test_a_wrong_line_is_named_and_changes_nothing(
    telemetry_capture: Capture, path: Path, caplog: pytest.LogCaptureFixture, line: str
) -> None:
    path.write_text(line)
    follow(telemetry_capture, path).read()
    assert f'= and true or false (got "{line}"); it has no effect.' in caplog.text
    assert telemetry_capture.runtime.switches.tracing


def test_what_was_off_at_the_start_stays_off_and_says_so(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text("ENABLE_METRICS=true")
    SwitchesFile(str(path), Switches(), Settings(enable_metrics=False)).read()
    assert "ENABLE_METRICS was false at the start; to switch it on takes a restart." in caplog.text


def test_the_file_is_followed_until_the_handle_is_closed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.switches._EVERY_SECONDS", 0.01)
    switches = Switches()
    with watch(Settings(switches_file=str(path)), switches):
        path.write_text("ENABLE_SENTRY=false")
        wait_until_sentry(switches, on=False)
        path.write_text("ENABLE_SENTRY=true")
        wait_until_sentry(switches, on=True)
    path.write_text("ENABLE_SENTRY=false")
    time.sleep(0.1)
    assert switches.sentry


def test_init_follows_the_file_that_the_environment_names(path: Path) -> None:
    path.write_text("ENABLE_TRACING=false")
    code = """
import os, telemetry
telemetry.init()
with telemetry.get_tracer().start_as_current_span("work") as span:
    print(span.is_recording())
os._exit(0)
"""
    environ = clean_environment() | {"TELEMETRY_SWITCHES_FILE": str(path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)  # noqa: S603
    assert done.stdout == "False\n"
    assert f"ENABLE_TRACING is false from now on, by {path}." in done.stderr


def test_instruments_that_the_application_makes_itself_record_nothing_while_metrics_are_off() -> None:
    switches, reader = Switches(), InMemoryMetricReader()
    meters = RenewableMeterProvider(lambda: MeterProvider([reader], shutdown_on_exit=False), switches)
    meter = meters.get_meter("shop")
    counter, updown = meter.create_counter("sold"), meter.create_up_down_counter("open")
    histogram, gauge = meter.create_histogram("price"), meter.create_gauge("level")
    for create in (meter.create_observable_counter, meter.create_observable_gauge):
        create(create.__name__, [lambda _: [Observation(5)]])

    def work() -> None:
        counter.add(1)
        updown.add(1)
        histogram.record(1)
        gauge.set(1)

    switches.metrics = False
    work()
    assert reader.get_metrics_data() is None
    switches.metrics = True
    work()
    data = reader.get_metrics_data()
    assert data
    found = {metric.name: metric.data.data_points[0] for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    values = {name: getattr(point, "value", getattr(point, "count", None)) for name, point in found.items()}
    seen = dict.fromkeys(("create_observable_counter", "create_observable_gauge"), 5)
    assert values == {"sold": 1, "open": 1, "price": 1, "level": 1} | seen


def test_with_sentry_off_no_transaction_is_kept() -> None:
    switches = Switches()
    settings = Settings(sentry_dsn="https://key@host/1", sentry_link="processor")
    keeps = sentry._options(settings, switches)["traces_sampler"]
    context = {"transaction_context": {"trace_id": "a" * 32}}
    assert keeps(context) == 1
    switches.sentry = False
    assert keeps(context) == 0


def wait_until_sentry(switches: Switches, *, on: bool) -> None:
    deadline = time.monotonic() + 5
    while switches.sentry != on:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_follows_it_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry.switches._EVERY_SECONDS", 0.01)
    switches = Switches()
    with watch(Settings(switches_file=str(path)), switches):
        child = os.fork()
        if child == 0:
            for _ in range(500):
                time.sleep(0.01)
                if not switches.sentry:
                    os._exit(0)
            os._exit(1)
        path.write_text("ENABLE_SENTRY=false")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
