"""How many people use the service: three levels, a curve of the day, and draws from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from random import Random

__all__ = ["LEVELS", "TICK", "Event", "Level", "Sessions", "binomial", "poisson"]

TICK = 15
"""Seconds between two reports of a process, as the stack's applications are set."""
DAY = 86_400
_OF_HOUR = (
    0.20, 0.12, 0.08, 0.06, 0.05, 0.06, 0.12, 0.30, 0.50, 0.60, 0.65, 0.70,
    0.85, 0.80, 0.70, 0.70, 0.75, 0.80, 0.95, 1.00, 0.95, 0.80, 0.60, 0.35,
)  # fmt: skip
_WEEKEND, _FRIDAY = 0.6, 5
QUERIES_OF_A_REQUEST, QUERIES_OF_A_MESSAGE, CALLS_OF_A_MESSAGE = 3, 6, 2
MESSAGES_OF_A_SESSION = 5
SECONDS_BETWEEN_MESSAGES = 45
_MANY = 30

Event = Literal["requests", "messages", "queries", "calls"]


@dataclass(frozen=True)
class Level:
    """How much traffic: requests and messages a second in the busiest hour, on how many API processes."""

    name: str
    requests: float
    messages: float
    api_processes: int
    usd_of_a_message: float

    def expected(self, event: Event, at: float) -> float:
        """Return the mean events a second at a time (seconds since 1970, UTC)."""
        requests, messages = (rate * _shape(at) for rate in (self.requests, self.messages))
        if event == "queries":
            return requests * QUERIES_OF_A_REQUEST + messages * QUERIES_OF_A_MESSAGE
        return {"requests": requests, "messages": messages, "calls": messages * CALLS_OF_A_MESSAGE}[event]

    def expected_in(self, event: Event, start: float, end: float) -> float:
        """Return the mean number of events between two times."""
        parts = max(1, round((end - start) / 300))
        length = (end - start) / parts
        return sum(self.expected(event, start + (part + 0.5) * length) * length for part in range(parts))


LEVELS = (
    Level("hobby", 30 / 3600, 6 / 3600, 1, 0.01),
    Level("small", 20 / 60, 2 / 60, 1, 0.01),
    Level("busy", 10, 40 / 60, 2, 0.001),
)
"""30 requests and 6 messages an hour; 20 and 2 a minute; 600 and 40 a minute."""


def _shape(at: float) -> float:
    """Return the share of the busiest hour's traffic that this moment has; a weekend has less."""
    hour, part = divmod(at % DAY / 3600, 1)
    now, after = _OF_HOUR[int(hour)], _OF_HOUR[(int(hour) + 1) % 24]
    weekday = (at // DAY + 3) % 7
    return (now + (after - now) * part) * (_WEEKEND if weekday >= _FRIDAY else 1)


class Sessions:
    """People who talk with the bot: messages come in conversations, not one by one."""

    def __init__(self, random: Random) -> None:
        """Begin with nobody."""
        self._random = random
        self._open = 0

    def messages(self, rate: float) -> int:
        """Return how many messages arrive in this tick, where so many a second do on average."""
        self._open += poisson(self._random, rate * TICK / MESSAGES_OF_A_SESSION)
        written = binomial(self._random, self._open, TICK / SECONDS_BETWEEN_MESSAGES)
        self._open -= binomial(self._random, written, 1 / MESSAGES_OF_A_SESSION)
        return written


def poisson(random: Random, mean: float) -> int:
    """Draw a number of events."""
    if mean > _MANY:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    count, product, limit = 0, random.random(), math.exp(-mean)
    while product > limit:
        count += 1
        product *= random.random()
    return count


def binomial(random: Random, count: int, share: float) -> int:
    """Draw how many of so many events are of the kind that has this share."""
    if share >= 1:
        return count
    if count <= _MANY:
        return sum(random.random() < share for _ in range(count))
    return min(count, poisson(random, count * share))
