"""A storm of updates through a real application, as a process of its own; prints what was generated and recorded.

`python storm.py UPDATES CONCURRENT`, with `SENTRY_DSN` naming a server that keeps the events.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Any

from telegram import Update
from telegram.ext import Application, ContextTypes, TypeHandler

import telemetry
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from telemetry import _runtime
from telemetry.sentry import Sentry
from telemetry.settings import Settings
from tests.conftest import record
from tests.integration.telemetry.test_telegram_kinds import CHAT, UPDATES, USER

USERS = 50
KINDS = ("text", "command", "photo", "voice", "sticker")
ENDINGS = ("well", "well", "well", "fail", "time out", "cancel")
Context = ContextTypes.DEFAULT_TYPE


async def handle(update: Update, _: Context) -> None:
    """End as the update's number says."""
    assert update.effective_user is not None
    user = str(update.effective_user.id)
    telemetry.set_tag("user_again", user)
    ending = ENDINGS[update.update_id % len(ENDINGS)]
    with telemetry.get_tracer().start_as_current_span(f"inside {user}"):
        await asyncio.sleep(random.random() * 0.005)  # noqa: S311 - only to mix the updates
    if ending == "fail":
        raise ValueError(f"user {user}")
    if ending == "time out":
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1)
    if ending == "cancel":
        raise asyncio.CancelledError


def update_of(number: int, application: Any) -> tuple[Update, str]:
    """Make an update of a user and a kind."""
    kind = KINDS[number % len(KINDS)]
    user = number % USERS + 1
    message = UPDATES[kind][0]["message"] | {"from": USER | {"id": user}, "chat": CHAT | {"id": user}}
    update = Update.de_json({"update_id": number, "message": message}, application.bot)
    assert update is not None
    return update, UPDATES[kind][1]


async def storm(application: Any, updates: int, *, concurrent: bool) -> Counter[str]:
    """Process all updates, at most 256 at once; return what they were."""
    sent: Counter[str] = Counter()
    gate = asyncio.Semaphore(256 if concurrent else 1)

    async def one(number: int) -> None:
        update, kind = update_of(number, application)
        status = {"fail": "error", "time out": "error", "cancel": "cancelled"}
        sent[f"{kind} {status.get(ENDINGS[number % len(ENDINGS)], 'success')}"] += 1
        async with gate:
            with suppress(asyncio.CancelledError):
                await application.process_update(update)

    if concurrent:
        await asyncio.gather(*(asyncio.create_task(one(number)) for number in range(updates)))
    else:
        for number in range(updates):
            await one(number)
    return sent


def memory_mib() -> float:
    """Return the most memory the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def main(updates: int, *, concurrent: bool) -> dict[str, Any]:
    """Run the storm in two halves and tell what was recorded."""
    settings, _ = Settings.read()
    async with serve(Pace(scale=0)) as addresses:
        url = addresses.url("telegram")
        builder = Application.builder().token(addresses.environment()["TELEGRAM_BOT_TOKEN"])
        async with builder.base_url(f"{url}/bot").build() as application:
            application.add_handler(TypeHandler(Update, handle))
            for recorded in record(settings):
                _runtime.install(replace(recorded.runtime, sentry=Sentry.start(settings)))
                with telemetry.instrument_telegram(application):
                    sent = await storm(application, updates, concurrent=concurrent)
                metrics = recorded.metrics()
                traces: dict[int, list[str]] = {}
                for span in recorded.spans:
                    assert span.context is not None
                    user = (span.attributes or {}).get("user.id") or span.name.removeprefix("inside ")
                    traces.setdefault(span.context.trace_id, []).append(f"{span.name.split()[0]}={user}")
                _runtime.current().sentry.close(20)
                counted = {" ".join(key): value for key, value in metrics["telegram.messages"].items()}
                return {
                    "sent": sent,
                    "counted": counted,
                    "durations": sum(metrics["telegram.message.duration"].values()),
                    "traces": len(traces),
                    "mixed": sum(len({name.partition("=")[2] for name in names}) != 1 for names in traces.values()),
                    "incomplete": sum(len(names) != 3 for names in traces.values()),
                    "errors": sum(metrics["errors"].values()),
                    "memory_mib": memory_mib(),
                }
    raise AssertionError


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(int(sys.argv[1]), concurrent=sys.argv[2] == "concurrent"))))
