"""Sends the plan's steps as users and API clients do, and counts exactly what was sent."""

import asyncio
import base64
import itertools
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from examples.health_agent.local.media import jpeg, ogg

from .plan import BROKEN_USER, REMINDED_USER, USERS, Request, Step

__all__ = ["Sent", "Traffic"]

ANSWER_SECONDS = 30.0
NAMES = USERS | {BROKEN_USER: "zero", REMINDED_USER: "iris"}


@dataclass
class Sent:
    """What the generator sent, counted when the answer was there."""

    updates: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By message type and expected status."""
    http: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By method, route and status."""
    handlers_failed: int = 0
    requests_failed: int = 0
    errors_handled: int = 0
    reminders: int = 0
    judged: int = 0
    unanswered: list[str] = field(default_factory=list)

    @property
    def error_events(self) -> int:
        """How many events a Sentry-compatible server should hold."""
        return self.handlers_failed + self.requests_failed + self.errors_handled


class Traffic:
    """Users and API clients. Each user waits for an answer before writing again."""

    def __init__(self, telegram_url: str, api_url: str, *, first_id: int) -> None:
        self.sent = Sent()
        self.telegram_url, self.api_url = telegram_url, api_url
        self._resources = AsyncExitStack()
        self._locks = {user: asyncio.Lock() for user in NAMES}
        self._answers: Counter[int] = Counter()
        self._new_ids = itertools.count(first_id)

    async def __aenter__(self) -> Self:
        # No keep-alive: after an unhandled exception the server closes the connection without saying so beforehand.
        limits = httpx.Limits(max_keepalive_connections=0)
        timeout = ANSWER_SECONDS + 5
        self._http = await self._resources.enter_async_context(httpx.AsyncClient(limits=limits, timeout=timeout))
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._resources.aclose()

    async def prepare(self) -> None:
        """Make the users known that API requests name."""
        await asyncio.gather(*(self._write(Step(0, "command", user, "/start")) for user in (7001, BROKEN_USER)))
        await self._write(Step(0, "command", BROKEN_USER, "/goal 0"))

    async def play(self, steps: Sequence[Step]) -> None:
        """Send every step at its time and wait for all answers."""
        started = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(self._at(started, step))

    async def _at(self, started: float, step: Step) -> None:
        await asyncio.sleep(max(0.0, started + step.at - asyncio.get_running_loop().time()))
        await self._request(step) if step.kind == "http" else await self._write(step)

    async def _write(self, step: Step) -> None:
        """Write to the bot, wait for its answer, and go on with what follows from it."""
        async with self._locks[step.user]:
            for one in (step, *step.then):
                await self._post(_body(one))
                self._count(one)
                await self._await_answer(one.user, str(one.content))
            if step.user == REMINDED_USER:
                await self._await_answer(step.user, "the reminder")
                self.sent.reminders += 1

    def _count(self, step: Step) -> None:
        self.sent.updates[step.kind, "error" if step.fails else "success"] += 1
        self.sent.handlers_failed += step.fails
        self.sent.errors_handled += step.reported
        self.sent.judged += step.judges

    async def _post(self, body: dict[str, Any]) -> None:
        response = await self._http.post(f"{self.telegram_url}/control/updates", json=body)
        response.raise_for_status()

    async def _await_answer(self, user: int, what: str) -> None:
        parameters = {"after": self._answers[user], "timeout": ANSWER_SECONDS}
        response = await self._http.get(f"{self.telegram_url}/control/chats/{user}/messages", params=parameters)
        if response.json():
            self._answers[user] += 1
        else:
            self.sent.unanswered.append(what)

    async def _request(self, step: Step) -> None:
        request: Request = step.content
        body = request.body
        if request.path == "/api/users" and body:
            body = {"id": next(self._new_ids)}
        response = await self._http.request(request.method, f"{self.api_url}{request.path}", json=body)
        self.sent.http[request.method, request.endpoint, str(response.status_code)] += 1
        self.sent.requests_failed += step.fails
        self.sent.errors_handled += step.reported


def _body(step: Step) -> dict[str, Any]:
    head = {"user_id": step.user, "username": NAMES[step.user]}
    if step.kind == "photo":
        return head | {"kind": "photo", "data": base64.b64encode(jpeg(step.content)).decode()}
    if step.kind == "voice":
        return head | {"kind": "voice", "data": base64.b64encode(ogg(step.content)).decode()}
    if step.kind == "other":
        return head | {"kind": "press", "button": step.content or 0}
    return head | {"kind": "text", "text": step.content}
