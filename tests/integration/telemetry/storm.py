"""A storm of updates through a real application, as a process of its own; prints what was generated and recorded.

`python -m tests.integration.telemetry.storm UPDATES CONCURRENT`, with `SENTRY_DSN` naming a server that keeps the
events. The Bot API and everything that keeps what it is sent run in other processes: the memory is the storm's own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RunUsage
from telegram import Update
from telegram.ext import Application, ContextTypes, TypeHandler

import telemetry
from telemetry.conversation import ATTRIBUTE, conversation_id
from telemetry.logs import correlate_logs
from telemetry.sentry import Sentry
from telemetry.settings import Settings
from tests.conftest import Recorded, record
from tests.integration.telemetry.test_telegram_kinds import CHAT, UPDATES, USER

USERS = 50
FLOODED = 99
"""A chat in which the bot may not write now."""
AT_ONCE = 256
KINDS = ("text", "command", "photo", "voice", "sticker")
Context = ContextTypes.DEFAULT_TYPE
LOG = logging.getLogger("storm")


@dataclass(frozen=True)
class Ending:
    """How an update goes: the status it must be counted with, and the spans beside those that every update has."""

    status: str
    spans: tuple[str, ...] = ()


ENDINGS = {
    "answered": Ending("success", ("telegram.api.sendMessage",)),
    "read": Ending("success"),
    "failed": Ending("error"),
    "timed out": Ending("error"),
    "cancelled": Ending("cancelled"),
    "flooded": Ending("error", ("telegram.api.sendMessage",)),
    "stream broken off": Ending("success", ("invoke_agent coach", "chat storm", "telegram.api.sendMessage")),
}
EVERY = ("telegram.update", "telegram.handle", "inside")


def ending_of(number: int) -> str:
    return tuple(ENDINGS)[number % len(ENDINGS)]


def user_of(number: int) -> int:
    return number % USERS + 1


@dataclass
class Ledger:
    """What was generated."""

    updates: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)


class Audit(SpanExporter, logging.Handler):
    """Checks each trace against its update when it is complete, and keeps nothing of it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.open: dict[int, list[ReadableSpan]] = defaultdict(list)
        self.logged: dict[int, set[str]] = defaultdict(set)
        self.done = 0
        self._one_more = asyncio.Event()
        self.faults: Counter[str] = Counter()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            assert span.context is not None
            self.open[span.context.trace_id].append(span)
            if span.name == "telegram.update":
                self._check(span, self.open.pop(span.context.trace_id), self.logged.pop(span.context.trace_id, set()))
        return SpanExportResult.SUCCESS

    def emit(self, log: logging.LogRecord) -> None:
        self.logged[int(log.__dict__["otelTraceID"], 16)].add(log.getMessage())

    async def wait_for(self, done: int) -> None:
        """Wait until so many traces are complete."""
        while self.done < done:
            self._one_more.clear()
            await self._one_more.wait()

    def _check(self, root: ReadableSpan, spans: list[ReadableSpan], logged: set[str]) -> None:
        number = int((root.attributes or {})["messaging.message.id"])  # type: ignore[arg-type]
        user = user_of(number)
        expected = sorted([*EVERY, *ENDINGS[ending_of(number)].spans])
        self.done += 1
        self._one_more.set()
        names = sorted(span.name for span in spans if not span.name.endswith(" started"))  # what took over 5 s says so
        self.faults["incomplete"] += names != expected
        chats = {(span.attributes or {}).get(ATTRIBUTE) for span in spans}
        self.faults["another's span"] += chats != {conversation_id(f"telegram:{user}")}
        self.faults["another's user"] += {(s.attributes or {}).get("user.id", str(user)) for s in spans} != {str(user)}
        self.faults["another's log"] += logged != {str(user)}


async def pieces(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[str]:
    for word in ("one ", "two ", "three "):
        yield word
        await asyncio.sleep(0)


class Bot:
    """The handler under storm."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.agent = Agent(FunctionModel(stream_function=pieces, model_name="storm"), name="coach")

    async def handle(self, update: Update, context: Context) -> None:
        """End as the update's number says."""
        assert update.effective_user is not None
        user, ending = str(update.effective_user.id), ending_of(update.update_id)
        telemetry.set_tag("user_again", user)
        with telemetry.get_tracer().start_as_current_span("inside"):
            await asyncio.sleep(random.random() * 0.005)  # noqa: S311 - only to mix the updates
            LOG.info("%s", user)
        if ending == "failed":
            raise ValueError(f"user {user}")
        if ending == "timed out":
            async with asyncio.timeout(0.001):
                await asyncio.sleep(1)
        if ending == "cancelled":
            raise asyncio.CancelledError
        if ending == "stream broken off":
            await self.stream()
        if ENDINGS[ending].spans:
            await context.bot.send_message(FLOODED if ending == "flooded" else int(user), "hello")

    async def stream(self) -> None:
        usage = RunUsage()
        async with self.agent.run_stream("go", usage=usage) as result:
            async for _ in result.stream_text(delta=True, debounce_by=None):
                break
        self.ledger.tokens.update(input=usage.input_tokens, output=usage.output_tokens)


def update_of(number: int, application: Any, ledger: Ledger) -> Update:
    """Make an update of a user and a kind, and note it."""
    content, kind = UPDATES[KINDS[number % len(KINDS)]]
    user = user_of(number)
    message = content["message"] | {"from": USER | {"id": user}, "chat": CHAT | {"id": user}}
    update = Update.de_json({"update_id": number, "message": message}, application.bot)
    assert update is not None
    ledger.updates[f"{kind} {ENDINGS[ending_of(number)].status}"] += 1
    ledger.endings[ending_of(number)] += 1
    return update


async def send_at_once(application: Any, updates: Iterator[Update], audit: Audit) -> None:
    """Put the updates into the application's queue, at most 256 ahead of what is done."""
    before = audit.done
    for sent, update in enumerate(updates, start=1):
        await application.update_queue.put(update)
        await audit.wait_for(before + sent - AT_ONCE)


async def send_one_by_one(application: Any, updates: Iterator[Update], _: Audit) -> None:
    """Process the updates in one task, as the library does; its own task would end with the first cancellation."""
    for update in updates:
        with suppress(asyncio.CancelledError):
            await application.process_update(update)


async def storm(application: Any, numbers: range, ledger: Ledger, audit: Audit) -> float:
    """Give the application all updates, in its own mode; return the memory held afterwards, in MiB."""
    send_all = send_at_once if application.concurrent_updates > 1 else send_one_by_one
    await send_all(application, (update_of(number, application, ledger) for number in numbers), audit)
    await audit.wait_for(numbers.stop)
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


@asynccontextmanager
async def services() -> AsyncIterator[dict[str, str]]:
    """Run the local services as a process, with every user known and one chat flooded."""
    command = (sys.executable, "-m", "examples.health_agent", "services")
    environ = os.environ | {"LOCAL_DELAY_SCALE": "0"}
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        found: dict[str, str] = json.loads(await process.stdout.readline())
        async with httpx.AsyncClient(base_url=found["TELEGRAM_API_URL"]) as client:
            for user in (*range(1, USERS + 1), FLOODED):
                await client.post(
                    "/control/updates", json={"user_id": user, "username": "u", "kind": "text", "text": "hi"}
                )
            await client.post("/control/flood", json={"chat_id": FLOODED, "retry_after": 1, "times": 10**9})
        yield found
    finally:
        process.terminate()
        await process.wait()


async def ignore(_: object, __: Context) -> None:
    """Handle errors, or the library logs each with its traceback."""


def account(recorded: Recorded, ledger: Ledger, audit: Audit) -> dict[str, Any]:
    """Return what was counted beside what was generated."""
    metrics = recorded.metrics()
    flat = {name: {" ".join(key): value for key, value in points.items()} for name, points in metrics.items()}
    return {
        "updates": (ledger.updates, flat["telegram.messages"]),
        "endings": ledger.endings,
        "errors": flat["errors"],
        "calls": flat["telegram.api.calls"],
        "flood": sum(metrics["telegram.flood.control"].values()),
        "durations": sum(metrics["telegram.message.duration"].values()),
        "agent_runs": sum(metrics["agent.response.duration"].values()),
        "tokens": (ledger.tokens, {key[-1]: value for key, value in metrics["agent.token.usage"].items()}),
        "in_flight": sum(recorded.series()["work.in.flight"].values()),
        "traces": audit.done,
        "unfinished": len(audit.open) + len(audit.logged),
        "faults": audit.faults,
    }


async def main(updates: int, *, concurrent: bool) -> dict[str, Any]:
    """Run the storm in two halves and tell what was recorded."""
    settings, _ = Settings.read()
    ledger, audit, sentry = Ledger(), Audit(), Sentry.start(settings)
    LOG.setLevel(logging.INFO)
    LOG.addHandler(audit)
    async with services() as found:
        builder = Application.builder().token(found["TELEGRAM_BOT_TOKEN"]).base_url(f"{found['TELEGRAM_API_URL']}/bot")
        builder = builder.connection_pool_size(AT_ONCE).pool_timeout(30)
        async with builder.concurrent_updates(AT_ONCE if concurrent else False).build() as application:
            application.add_handler(TypeHandler(Update, Bot(ledger).handle))
            application.add_error_handler(ignore)
            for recorded in record(settings, audit, sentry):
                await application.start()
                with correlate_logs("storm"), telemetry.instrument_pydantic_ai():
                    with telemetry.instrument_telegram(application):
                        half = await storm(application, range(updates // 2), ledger, audit)
                        whole = await storm(application, range(updates // 2, updates), ledger, audit)
                await application.stop()
                sentry.close(20)
                return account(recorded, ledger, audit) | {"memory_mib": (round(half, 1), round(whole, 1))}
    raise AssertionError


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(int(sys.argv[1]), concurrent=sys.argv[2] == "concurrent"))))
