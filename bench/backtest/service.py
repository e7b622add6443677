"""The processes of the service, and what each reports: requests, messages, pools, calls, the loop's lag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.backtest.latency import ANSWER, LAG, QUERY, REQUEST, Latency
from bench.backtest.meter import Histogram, Meter
from bench.backtest.traffic import (
    CALLS_OF_A_MESSAGE,
    QUERIES_OF_A_MESSAGE,
    QUERIES_OF_A_REQUEST,
    TICK,
    binomial,
    poisson,
)
from telemetry import catalog

if TYPE_CHECKING:
    from random import Random

    from bench.backtest.conditions import Conditions, Slot

__all__ = ["POOL_TIMEOUT", "Api", "Bot", "Process", "begin"]

POOL_SIZE = 10
POOL_TIMEOUT = 30
"""Seconds a request waits for a connection before it fails."""
SLOW_QUERY = 0.1
ANSWER_SECONDS_STUCK = 30
_ROUNDS = TICK * 10
"""How often the event loop's lag is measured in a tick."""
_ENDPOINT = {"method": "GET", "endpoint": "/api/foods"}


class Process:
    """What every process has: processor time and the loop's lag."""

    def __init__(self, instance: str, read: frozenset[str], random: Random) -> None:
        """Begin at zero; `random` is shared by the whole service."""
        common = {"deployment_environment_name": "production", "service_name": "health-agent"}
        self.meter = Meter({**common, "job": "health-agent", "instance": instance}, read)
        self._random = random
        self.phase = random.uniform(1, TICK - 1)
        self._cpu = self.meter.number(catalog.PROCESS_CPU_TIME)
        self._cpu.value = 0.5
        self._lag = self.meter.histogram(catalog.EVENT_LOOP_LAG)

    def live(self, conditions: Conditions, load: float) -> None:
        """Live through one tick with so much to do."""
        self._cpu.value = round(self._cpu.value + 0.05 + self._random.random() * (0.01 + load / 1000), 4)
        late = binomial(self._random, _ROUNDS, conditions.blocked)
        self._observe(self._lag, catalog.EVENT_LOOP_LAG.buckets, LAG, (_ROUNDS - late, late, 2.0))

    def _observe(
        self, into: Histogram, bounds: tuple[float, ...], latency: Latency, events: tuple[float, int, float]
    ) -> int:
        """Add so many events on average as the latency has them, and some of another length; return the number."""
        mean, others, seconds = events
        counts = [poisson(self._random, mean * share) for share in latency.shares(bounds)]
        if others:
            counts[sum(bound < seconds for bound in bounds)] += others
        into.add(counts)
        return sum(counts)


class _WithDatabase(Process):
    """A process with a pool of connections."""

    def __init__(self, instance: str, read: frozenset[str], random: Random) -> None:
        super().__init__(instance, read, random)
        number = self.meter.number
        self._queries = self.meter.histogram(catalog.DB_QUERY_DURATION, query_type="select")
        self._slow = number(catalog.DB_SLOW_QUERIES, query_type="select")
        self._in_use, self._available = (number(catalog.DB_POOL_SIZE, state=state) for state in ("in_use", "available"))
        self._waiting = number(catalog.DB_POOL_REQUESTS_WAITING)
        number(catalog.DB_POOL_MAX).value = POOL_SIZE

    def ask(self, queries: int, conditions: Conditions, leaked: float = 0) -> None:
        """Do so many queries in a tick."""
        latency = QUERY.times(conditions.queries_slower)
        slow = min(1.0, latency.above(SLOW_QUERY) + conditions.slow_queries)
        self._slow.value += binomial(self._random, queries, slow)
        counts = [0] * (len(catalog.DB_QUERY_DURATION.buckets) + 1)
        counts[0] = queries  # which bucket is nobody's question here
        self._queries.add(counts)
        busy = queries / TICK * latency.median * 1.5
        self._in_use.value = min(POOL_SIZE, int(POOL_SIZE * leaked) + poisson(self._random, busy))
        self._available.value = POOL_SIZE - self._in_use.value

    def wait(self, rate: float) -> None:
        """Let requests of this rate wait for a connection that nobody gives back."""
        self._waiting.value = poisson(self._random, rate * POOL_TIMEOUT)


class Api(_WithDatabase):
    """An API process; the first of them is the one whose pool leaks."""

    def __init__(self, instance: str, read: frozenset[str], random: Random) -> None:
        """Begin with no request answered."""
        super().__init__(instance, read, random)
        number = self.meter.number
        self._good = number(catalog.HTTP_REQUESTS, known=False, status="200", **_ENDPOINT)
        self._bad = number(catalog.HTTP_REQUESTS, known=False, status="500", **_ENDPOINT)
        unknown = {"method": "GET", "endpoint": "other"}
        self._not_found = number(catalog.HTTP_REQUESTS, known=False, status="404", **unknown)
        self._duration = self.meter.histogram(catalog.HTTP_REQUEST_DURATION, **_ENDPOINT)

    def serve(self, rate: float, conditions: Conditions, *, first: bool) -> int:
        """Answer the requests of a tick, so many a second on average; return their number.

        One that fails does so for want of a connection: after POOL_TIMEOUT.
        """
        leaked = conditions.leaked if first else 0
        blocked = leaked >= 1
        answered = 0 if blocked else rate * TICK
        timed_out = poisson(self._random, rate * TICK) if blocked else int(first and conditions.request_fails)
        latency, bounds = REQUEST.times(conditions.requests_slower), catalog.HTTP_REQUEST_DURATION.buckets
        count = self._observe(self._duration, bounds, latency, (answered, timed_out, POOL_TIMEOUT))
        failed = binomial(self._random, count - timed_out, conditions.api_failing) + timed_out
        self._bad.value += failed
        self._good.value += count - failed
        self._not_found.value += poisson(self._random, conditions.not_found * TICK)
        self.ask((count - timed_out) * QUERIES_OF_A_REQUEST, conditions, leaked)
        self.wait(rate if blocked else 0)
        self.live(conditions, count)
        return count


class Bot(_WithDatabase):
    """The bot: messages, answers, calls of the models' providers."""

    def __init__(self, instance: str, read: frozenset[str], random: Random) -> None:
        """Begin with no message handled."""
        super().__init__(instance, read, random)
        number, calls, messages = self.meter.number, catalog.EXTERNAL_API_CALLS, catalog.TELEGRAM_MESSAGES
        self._good, self._bad = (
            number(messages, message_type="text", status=status) for status in ("success", "error")
        )
        self._duration = self.meter.histogram(catalog.TELEGRAM_MESSAGE_DURATION, message_type="text")
        self._called, self._refused = (
            number(calls, service="anthropic", status=status) for status in ("success", "error")
        )
        self._left = number(catalog.EXTERNAL_API_RATE_LIMIT, known=False, service="anthropic")
        model = {"provider": "anthropic", "model": "claude"}
        self._cost = number(catalog.AGENT_COST, known=False, **model)

    def answer(self, messages: int, conditions: Conditions, usd: float) -> None:
        """Handle the messages of a tick; each costs so much."""
        failed = binomial(self._random, messages, conditions.bot_failing) + conditions.message_fails
        messages += conditions.message_fails
        self._bad.value += failed
        self._good.value += messages - failed
        self._take(messages, conditions)
        self._call(messages, conditions)
        spent = sum(self._random.expovariate(1) for _ in range(messages)) * usd + conditions.usd * TICK
        self._cost.value = round(self._cost.value + spent, 6)
        self.ask(messages * QUERIES_OF_A_MESSAGE, conditions)
        self.live(conditions, messages)

    def _take(self, messages: int, conditions: Conditions) -> None:
        bounds, latency = catalog.TELEGRAM_MESSAGE_DURATION.buckets, ANSWER.times(conditions.answers_slower)
        counts = [0] * (len(bounds) + 1)
        stuck = binomial(self._random, messages, conditions.answers_stuck)
        counts[sum(bound < ANSWER_SECONDS_STUCK for bound in bounds)] += stuck
        for bucket in self._random.choices(range(len(counts)), latency.shares(bounds), k=messages - stuck):
            counts[bucket] += 1
        self._duration.add(counts)

    def _call(self, messages: int, conditions: Conditions) -> None:
        calls = round(messages * CALLS_OF_A_MESSAGE * conditions.calls_factor)
        refused = binomial(self._random, calls, conditions.provider_failing)
        self._refused.value += refused
        self._called.value += calls - refused
        if not calls:
            return
        usual = self._random.betavariate(20, 3)
        left = usual if conditions.limit_left is None else conditions.limit_left * self._random.uniform(0.8, 1.2)
        self._left.value = round(left, 4)


class Script(Process):
    """A job of a few minutes: it only reports that it lives."""


PROCESSES: dict[str, type[Process]] = {"api": Api, "bot": Bot, "script": Script}


def begin(slot: Slot, instance: str, read: frozenset[str], random: Random) -> Process:
    """Begin a process in its place."""
    return PROCESSES[slot[0]](instance, read, random)
