"""Alerts fired for real in a running stack, delivered by Alertmanager to a webhook, and over again.

At ten times the pace of the rules, every duration of which is then a tenth; ALERTS_PACE=1 waits the real minutes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import psycopg
import pytest

from tests.alerts.real_alertmanager import until
from tests.stack.alert_course import FIRED, Course, heading, wait_for
from tests.stack.alert_stage import PACE, Agent, Stage

Work = Callable[[httpx.Client], object]


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


def begin(real: Stage, agents: tuple[Agent, Agent, Agent], trouble: ExitStack) -> list[Course]:
    busy, late, held = agents
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
    real: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    quick, slow = real.services(0.02), real.services(20)
    agents = (real.agent("busy", quick), real.agent("late", slow), real.agent("held", quick))
    for agent in agents:
        make_user(agent)
    with ExitStack() as trouble:
        courses = begin(real, agents, trouble)
        # Half a minute after the first of its area, or five minutes after the last notification of that.
        wait_for(real, courses, FIRED, real.seconds(720) + 30)
        for course in courses:
            course.note("over")
    wait_for(real, courses, {"told resolved"}, real.seconds(900) + 60)
    with capsys.disabled():
        sys.stdout.write(heading() + "".join(course.line() for course in courses))
        if PACE == 1:
            sys.stdout.write(real.hook.log() + json.dumps(real.hook.payloads[0][1], indent=1) + "\n")
    assert all(course.moments.get("pending", 0) <= course.moments["firing"] for course in courses)
