"""Each part stopped in turn: which rule notices, or the watcher outside, and after how long.

At ten times the pace of the rules; ALERTS_PACE=1 waits the real minutes.
"""

from __future__ import annotations

import sys
import time

import pytest

from tests.alerts.real_alertmanager import until
from tests.stack.alert_course import FIRED, Course, heading, wait_for
from tests.stack.alert_stage import Stage
from tests.stack.stack_helpers import send_span

GRACE = 180
"""Seconds after the last heartbeat at which a watcher outside that expects a call a minute tells somebody."""
COLUMNS = ("firing", "told firing")


def missed(real: Stage, part: str) -> Course:
    """Stop a part and wait until no heartbeat has come for the watcher's grace."""
    until(lambda: time.time() - real.last_heartbeat < real.seconds(60), 90)
    real.part("stop", part)
    course, grace = Course(part, {"alertname": "the watcher outside"}), real.seconds(GRACE)
    until(lambda: time.time() - max(course.began, real.last_heartbeat) > grace, real.seconds(900) + 90)
    course.moments = dict.fromkeys(COLUMNS, max(course.began, real.last_heartbeat) + grace - course.began)
    real.part("start", part)
    return course


def test_each_part_that_stops_is_noticed(real: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    services = real.services(0.02)
    agent = real.agent("killed", services, bot=True)
    real.agent("alive", services)
    # A service that has reported for five minutes is expected to go on.
    reported = f"process_cpu_time_seconds_total offset {real.seconds(310):.0f}s"
    until(lambda: real.value(f"count(count by (instance) ({reported}))") == 3, real.seconds(400) + 180)
    killed = [
        Course(name, {"alertname": "ProcessSilentCritical", "service_name": f"health-agent-{name}"})
        for name in agent.processes
    ]
    for process in agent.processes.values():
        process.kill()
    real.part("stop", "jaeger")
    jaeger = Course("jaeger", {"alertname": "ExporterStuckWarning", "exporter": "otlp_http/jaeger"})
    with real.repeating(lambda _: send_span(real.stack, "kept for Jaeger"), every=1):
        wait_for(real, [*killed, jaeger], FIRED, real.seconds(600) + 30)
    real.part("start", "jaeger")
    real.part("stop", "collector")
    collector = Course("collector", {"alertname": "CollectorSilentCritical"})
    wait_for(real, [collector], FIRED, real.seconds(600) + 30)
    time.sleep(real.seconds(60))
    assert not real.hook.alerts(deployment_environment_name="alive"), (
        "the Collector's death is told, not what it cuts off"
    )
    real.part("start", "collector")
    rows = [*killed, jaeger, collector, missed(real, "prometheus"), missed(real, "alertmanager")]
    with capsys.disabled():
        sys.stdout.write(heading(COLUMNS) + "".join(row.line(COLUMNS) for row in rows))
    assert all(course.moments["firing"] < real.seconds(120) + 5 for course in killed), (
        "a killed application is told of within two minutes"
    )
