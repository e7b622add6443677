"""The HTTP API on a real server with a real database."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Agent

pytestmark = pytest.mark.asyncio(loop_scope="session")

USER = 5001


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("POST", "/users", {"id": USER, "username": "api"}, 201, id="a new user"),
        pytest.param("POST", "/users", {"id": USER}, 409, id="the id is taken"),
        pytest.param("POST", "/users", {"id": -1}, 422, id="no id"),
        pytest.param("GET", "/users", None, 200, id="users"),
        pytest.param("GET", f"/users/{USER}", None, 200, id="one user"),
        pytest.param("GET", "/users/999999999", None, 404, id="no such user"),
        pytest.param("GET", "/users/ann", None, 422, id="no number"),
        pytest.param("GET", f"/users/{USER}/progress", None, 200, id="progress"),
        pytest.param("POST", "/foods", {"user_id": USER, "name": "soup", "calories": 90}, 201, id="food"),
        pytest.param(
            "POST", "/foods", {"user_id": 999999999, "name": "soup", "calories": 90}, 404, id="food of nobody"
        ),
        pytest.param("POST", "/foods", {"user_id": USER, "name": ""}, 422, id="food without name"),
        pytest.param("GET", f"/foods?user_id={USER}", None, 200, id="foods"),
        pytest.param("GET", "/foods/999999999", None, 404, id="no such food"),
        pytest.param("POST", "/chat", {"user_id": USER, "message": "hello"}, 200, id="chat"),
        pytest.param("POST", "/chat", {"user_id": USER, "message": "hi #ratelimited"}, 503, id="the agent is busy"),
        pytest.param("POST", "/chat", {"user_id": USER, "message": "hi #servererror"}, 500, id="the provider fails"),
    ],
)
async def test_a_request_gets_its_status(
    agent: Agent, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    assert (await agent.client.request(method, agent.api + path, json=body)).status_code == status


async def test_a_goal_of_zero_is_an_internal_error(agent: Agent) -> None:
    await agent.client.post(f"{agent.api}/users", json={"id": 5002, "calorie_goal": 0})
    assert (await agent.client.get(f"{agent.api}/users/5002/progress")).status_code == 500


async def test_all_that_was_eaten_can_be_exported(agent: Agent) -> None:
    await agent.client.post(f"{agent.api}/users", json={"id": 5010})
    for name in ("apple", "pear"):
        food = {"user_id": 5010, "name": name, "grams": 100, "calories": 50}
        await agent.client.post(f"{agent.api}/foods", json=food)
    lines = (await agent.client.get(f"{agent.api}/users/5010/export")).text.splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["apple", "pear"]


async def test_the_report_is_right_and_truly_slow(agent: Agent) -> None:
    await agent.client.post(f"{agent.api}/users", json={"id": 5003})
    for calories in (100, 250):
        await agent.client.post(f"{agent.api}/foods", json={"user_id": 5003, "name": "x", "calories": calories})
    started = time.perf_counter()
    [day] = (await agent.client.get(f"{agent.api}/users/5003/report")).json()
    assert time.perf_counter() - started > 0.1
    assert (day["calories"], day["entries"]) == (350, 2)


async def test_what_was_eaten_is_stored_by_the_chat(agent: Agent) -> None:
    await agent.client.post(f"{agent.api}/users", json={"id": 5004})
    answer = await agent.client.post(f"{agent.api}/chat", json={"user_id": 5004, "message": "I ate an apple"})
    assert answer.json()["model"] == "claude-haiku-4-5"
    foods = (await agent.client.get(f"{agent.api}/foods?user_id=5004")).json()
    assert [food["source"] for food in foods] == ["api"]
