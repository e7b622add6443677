"""The API's users, by Locust: so many at once, each sends its next request when the one before is answered.

`python -m bench.load.generator`, with a `Task` as JSON on its input; prints the `Answered` as JSON. Two servers take
turns, one with telemetry and one without, in the order A B B A, so that what else the machine does touches both alike.
A process of its own: Locust patches the standard library.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment

from bench.load.mix import SIDES, Answered, Request, Task, deck, side_of, turn_at, turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locust.runners import LocalRunner

SECONDS_TO_FINISH = 60.0
"""What is under way at the end is waited for: the server counts it too."""
LINE_SECONDS = 5.0
"""At least; a long run writes twenty lines where nobody looks on."""
ONE_EACH = {"Connection": "close"}
"""A server closes a connection after an exception, and after five idle seconds: a request may be on its way then."""
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class ApiUser(FastHttpUser):  # type: ignore[misc]  # not installed where mypy looks
    """Stores itself, then asks what the mix says."""

    wait_time = constant(0)
    abstract = True
    connection_timeout = network_timeout = SECONDS_TO_FINISH
    given: Task
    began = 0.0
    statuses: ClassVar[Counter[tuple[str, ...]]] = Counter()
    turns: ClassVar[Counter[int]] = Counter()
    decks: ClassVar[dict[str, Iterator[Request]]] = {side: deck() for side in SIDES}
    known = 0

    def on_start(self) -> None:
        """Store a user of its own."""
        type(self).known += 1
        self.id = self.given.first_id + self.known
        self.send(Request("POST", "/api/users", "/api/users", 201, {"id": self.id}))

    @task  # type: ignore[untyped-decorator]  # Locust's own
    def ask(self) -> None:
        """Send what comes next in the deck of the server whose turn it is."""
        turn = turn_at(monotonic() - self.began, self.given.seconds)
        self.send(next(self.decks[side_of(turn)]), turn)
        self.turns[turn] += 1

    def send(self, request: Request, turn: int = 0) -> None:
        """Send a request, and count the answer."""
        side = side_of(turn)
        path, body = request.filled(self.id, self.given.broken_id)
        with self.client.request(
            request.method, self.given.urls[side] + path, name=f"{side} {request.endpoint}", json=body,
            headers=ONE_EACH, catch_response=True,
        ) as answer:  # fmt: skip
            if answer.status_code == request.status:
                answer.success()
            else:
                answer.failure(f"{answer.status_code} instead of {request.status}")
        self.statuses[side, request.method, request.endpoint, str(answer.status_code)] += 1


def main(given: Task) -> Answered:
    """Send for as long as the task says."""
    ApiUser.given, ApiUser.abstract, ApiUser.host = given, False, given.urls["on"]
    environment = Environment(user_classes=[ApiUser], stop_timeout=SECONDS_TO_FINISH)
    runner = environment.create_local_runner()
    ApiUser.began = monotonic()
    shown = gevent.spawn(_show, runner, given.seconds)
    runner.start(given.users, spawn_rate=given.users)
    gevent.sleep(given.seconds)
    shown.kill()
    runner.quit()
    return _answered(runner)


def _answered(runner: LocalRunner) -> Answered:
    entries = runner.stats.entries.values()
    latency = {side: _percentiles(entry for entry in entries if entry.name.startswith(f"{side} ")) for side in SIDES}
    for entry in entries:
        side, _, route = entry.name.partition(" ")
        latency[f"{side} {entry.method} {route}"] = _percentiles([entry])
    return Answered(
        statuses={" ".join(key): count for key, count in sorted(ApiUser.statuses.items())},
        turns=[ApiUser.turns[turn] for turn in range(turns(ApiUser.given.seconds))],
        latency=latency,
        unexpected={error.to_name(): error.occurrences for error in runner.stats.errors.values()},
    )


def _percentiles(entries: Iterable[Any]) -> dict[str, float]:
    """Merge the response times of several routes, in seconds; Locust keeps them in ms, rounded to two digits."""
    times: Counter[int] = Counter()
    for entry in entries:
        times.update(entry.response_times)
    ordered = sorted(times.elements())
    return {name: ordered[int(len(ordered) * share)] / 1000 if ordered else 0.0 for name, share in SHARES.items()}


def _show(runner: LocalRunner, seconds: float) -> None:
    live, start = sys.stderr.isatty(), monotonic()
    while True:
        gevent.sleep(1 if live else max(LINE_SECONDS, seconds / 20))
        total = runner.stats.total
        text = (f"{monotonic() - start:4.0f} of {seconds:.0f} s: {total.num_requests:,} requests, "
                f"{total.current_rps:.0f}/s, p95 {total.get_response_time_percentile(0.95) or 0:.0f} ms, "
                f"{total.num_failures} unexpected")  # fmt: skip
        sys.stderr.write(f"\r{text:<79}" if live else f"{text}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    answered = main(Task(**json.loads(sys.stdin.read())))
    sys.stdout.write(json.dumps(answered.__dict__))
