"""Alerts of a running stack: fired for real, delivered by Alertmanager to a webhook, over again; each part stopped.

At ten times the pace of the rules, every duration of which is then a tenth; ALERTS_PACE=1 waits the real minutes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from tests.alerts.real_alertmanager import until
from tests.stack import paced_rules
from tests.stack.alert_course import FIRED, Course, heading, wait_for
from tests.stack.alert_stage import PACE, Agent, Stage, stage
from tests.stack.stack_helpers import send_span

Work = Callable[[httpx.Client], object]

BUSY, LATE, HELD = "busy", "late", "held"
"""The environments: one is asked for much, one has slow providers, one gets its pool held."""
GRACE = 180
"""Seconds after the last heartbeat at which a watcher outside that expects a call a minute tells somebody."""
PATIENCE = 120
"""Seconds that a slow machine may take beyond what the rules do."""
NOTICED = ("firing", "told firing")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("stack"), PACE) as running:
        yield running


@pytest.fixture(scope="module")
def agents(real: Stage) -> dict[str, Agent]:
    quick, slow = real.services(0.02), real.services(20)
    found = real.agents({BUSY: quick, LATE: slow, HELD: quick})
    real.bot(found[BUSY])
    return found


def make_user(agent: Agent) -> None:
    """One whose progress is divided by zero."""
    httpx.post(f"{agent.url}/api/users", json={"id": 1, "username": "ann"}, trust_env=False).raise_for_status()
    with psycopg.connect(agent.database) as database:
        database.execute("UPDATE users SET calorie_goal = 0")


def chat(agent: Agent, words: str) -> Work:
    return lambda client: client.post(f"{agent.url}/api/chat", json={"user_id": 1, "message": words})


def get(agent: Agent, path: str) -> Work:
    return lambda client: client.get(agent.url + path)


def of(name: str, agent: Agent) -> Course:
    return Course(agent.environment, {"alertname": name, "deployment_environment_name": agent.environment})


def use_up_the_rate_limit(real: Stage, agent: Agent) -> Course:
    """Write long messages until the local provider's own headers say that less than a twentieth of a minute is left."""
    course = of("ApiRateLimitCritical", agent)
    with real.repeating(chat(agent, "🍎" * 4000), every=0, times=2):  # 12,000 tokens of 400,000
        until(lambda: real.value("external_api_rate_limit_remaining_ratio < 0.05") is not None, 55)
    return course


def begin(real: Stage, agents: dict[str, Agent], trouble: ExitStack) -> list[Course]:
    busy, late, held = agents[BUSY], agents[LATE], agents[HELD]
    courses = [use_up_the_rate_limit(real, busy)]
    for every, times, work in (
        (0.5, 1, get(busy, "/api/users/1/progress")),
        (0.5, 1, get(busy, "/api/users/1")),
        (0.1, 20, chat(late, "hi")),
        (0.1, 14, get(held, "/api/foods?user_id=1")),
    ):
        trouble.enter_context(real.repeating(work, every=every, times=times))
    lock = trouble.enter_context(psycopg.connect(held.database))
    lock.execute("LOCK TABLE food_entries IN ACCESS EXCLUSIVE MODE")
    names = {"ApiErrorRateCritical": busy, "ApiLatencyCritical": late, "DatabasePoolExhaustedCritical": held}
    return courses + [of(name, agent) for name, agent in names.items()]


def test_each_of_the_plans_conditions_fires_is_told_and_is_over_again(
    real: Stage, agents: dict[str, Agent], capsys: pytest.CaptureFixture[str]
) -> None:
    for agent in agents.values():
        make_user(agent)
    with ExitStack() as trouble:
        courses = begin(real, agents, trouble)
        # Half a minute after the first of its area, or five minutes after the last notification of that.
        wait_for(real, courses, FIRED, real.seconds(720) + PATIENCE)
        for course in courses:
            course.note("over")
    wait_for(real, courses, {"told resolved"}, real.seconds(900) + PATIENCE)
    with capsys.disabled():
        sys.stdout.write(heading() + "".join(course.line() for course in courses))
        if PACE == 1:
            sys.stdout.write(real.hook.log() + json.dumps(real.hook.payloads[0][1], indent=1) + "\n")
    for course in courses:
        pending = course.selector("ALERTS", alertstate="pending")
        assert real.value(f"count_over_time({pending}[1h])"), "Prometheus held it for its `for` first"


def missed(real: Stage, part: str) -> Course:
    """Stop a part and wait until no heartbeat has come for the watcher's grace."""
    until(lambda: time.time() - real.last_heartbeat < real.seconds(60), PATIENCE)
    real.part("stop", part)
    course, grace = Course(part, {"alertname": "the watcher outside"}), real.seconds(GRACE)
    until(lambda: time.time() - max(course.began, real.last_heartbeat) > grace, real.seconds(900) + PATIENCE)
    course.moments = dict.fromkeys(NOTICED, max(course.began, real.last_heartbeat) + grace - course.began)
    real.part("start", part)
    return course


def test_each_part_that_stops_is_noticed(
    real: Stage, agents: dict[str, Agent], capsys: pytest.CaptureFixture[str]
) -> None:
    # A service that has reported for five minutes is expected to go on.
    reported = f"process_cpu_time_seconds_total offset {real.seconds(310):.0f}s"
    until(lambda: real.value(f"count(count by (instance) ({reported}))") == 4, real.seconds(400) + PATIENCE)
    killed = [
        Course(name, {"alertname": "ProcessSilentCritical", "service_name": f"health-agent-{name}"})
        for name in agents[BUSY].processes
    ]
    for process in agents[BUSY].processes.values():
        process.kill()
    real.part("stop", "jaeger")
    jaeger = Course("jaeger", {"alertname": "ExporterStuckWarning", "exporter": "otlp_http/jaeger"})
    with real.repeating(lambda _: send_span(real.stack, "kept for Jaeger"), every=1):
        wait_for(real, [*killed, jaeger], FIRED, real.seconds(600) + PATIENCE)
    real.part("start", "jaeger")
    real.part("stop", "collector")
    collector = Course("collector", {"alertname": "CollectorSilentCritical"})
    wait_for(real, [collector], FIRED, real.seconds(600) + PATIENCE)
    time.sleep(real.seconds(60))
    cut_off = real.hook.alerts(alert="ProcessSilent", deployment_environment_name=LATE)
    assert not cut_off, "the Collector's death is told, not what it cuts off"
    real.part("start", "collector")
    rows = [*killed, jaeger, collector, missed(real, "prometheus"), missed(real, "alertmanager")]
    with capsys.disabled():
        sys.stdout.write(heading(NOTICED) + "".join(row.line(NOTICED) for row in rows))
    limit = paced_rules.silent_after(PACE) + real.seconds(45) + (0 if PACE == 1 else PATIENCE / 10)
    assert all(course.moments["firing"] < limit for course in killed), "two minutes at the real pace"
    assert min(course.moments["told firing"] for course in killed) < limit
