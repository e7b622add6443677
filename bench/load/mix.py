"""What API users ask, how often, and which answer is planned; what the generator is given and gives back."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MIX", "SIDES", "Answered", "Request", "Task", "deck", "side_of", "turn_at", "turns"]

SIDES = ("on", "off")
"""The server with telemetry and the one with all three switches off."""
TURNS = (0, 1, 1, 0)
LONGEST_TURN = 2.5
USER, BROKEN = "{user}", "{broken}"


@dataclass(frozen=True)
class Request:
    """A request, its route, and the status that is planned.

    `{user}` stands for the id of who sends it, `{broken}` for that of the user for whom the application fails.
    """

    method: str
    path: str
    endpoint: str
    status: int
    body: Any = field(default=None, hash=False)

    def filled(self, user: int, broken: int) -> tuple[str, Any]:
        """Return path and body with ids in them."""
        body = self.body and {name: user if value == USER else value for name, value in self.body.items()}
        return self.path.replace(USER, str(user)).replace(BROKEN, str(broken)), body


@dataclass(frozen=True)
class Task:
    """What the generator is to do; `urls` of both servers, user ids from `first_id` on.

    `broken_id` is the user for whom the application fails.
    """

    urls: dict[str, str]
    users: int
    seconds: float
    first_id: int
    broken_id: int


@dataclass(frozen=True)
class Answered:
    """What the generator saw: answers by `SIDE METHOD ROUTE STATUS`, seconds by `SIDE METHOD ROUTE` and by `SIDE`.

    `turns` has the answers to what was sent in each turn.
    """

    statuses: dict[str, int]
    turns: list[int]
    latency: dict[str, dict[str, float]]
    unexpected: dict[str, int]


def turns(seconds: float) -> int:
    """Return how many turns a run has: whole groups of A B B A."""
    return 4 * max(1, round(seconds / (4 * LONGEST_TURN)))


def turn_at(elapsed: float, seconds: float) -> int:
    """Return the number of the turn; what begins after the end belongs to the last."""
    return min(int(elapsed / seconds * turns(seconds)), turns(seconds) - 1)


def side_of(turn: int) -> str:
    """Return whose turn it is."""
    return SIDES[TURNS[turn % len(TURNS)]]


def _food(name: str) -> dict[str, Any]:
    return {"user_id": USER, "name": name, "grams": 150, "calories": 78}


def _said(message: str) -> dict[str, Any]:
    return {"user_id": USER, "message": message}


_ONE, _PROGRESS = "/api/users/{user_id}", "/api/users/{user_id}/progress"
MIX = {
    Request("GET", "/api/users/{user}", _ONE, 200): 320,
    Request("GET", "/api/users/999999999", _ONE, 404): 20,
    Request("GET", "/api/users", "/api/users", 200): 40,
    Request("GET", "/api/users/{user}/progress", _PROGRESS, 200): 120,
    Request("POST", "/api/foods", "/api/foods", 201, _food("apple")): 160,
    Request("POST", "/api/foods", "/api/foods", 422, _food("")): 20,
    Request("GET", "/api/foods?user_id={user}", "/api/foods", 200): 180,
    Request("GET", "/api/foods/999999999", "/api/foods/{food_id}", 404): 20,
    # Fails on a defect: a calorie goal of 0.
    Request("GET", "/api/users/{broken}/progress", _PROGRESS, 500): 120,
    # Slow: the agent answers, seconds for what needs thought, and once in a while its provider has no capacity.
    Request("POST", "/api/chat", "/api/chat", 200, _said("I had yogurt for breakfast")): 20,
    Request("POST", "/api/chat", "/api/chat", 200, _said("Can you analyze my week and suggest a plan?")): 15,
    Request("POST", "/api/chat", "/api/chat", 503, _said("Hello #ratelimited")): 2,
    # Slow in the database.
    Request("GET", "/api/users/{user}/report", "/api/users/{user_id}/report", 200): 1,
}
"""How often, of about a thousand: 12 in 100 fail, 4 in 100 are slow."""


def deck() -> Iterator[Request]:
    """Yield requests for ever, in the same order for both servers: neither gets more of the dear ones."""
    cards = [request for request, weight in MIX.items() for _ in range(weight)]
    Random(7).shuffle(cards)
    yield from itertools.cycle(cards)
