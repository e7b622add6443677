"""A bot behaves the same without instrumentation, with it, and with it off and on again; only then is it seen."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from telegram.ext import Application

import telemetry
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from tests.conftest import Recorded
from tests.integration.telemetry.programs import PRESS, PROGRAMS, AnyApplication, Program

USER = 7


def instrument(application: AnyApplication, mode: str) -> ExitStack:
    """Instrument as the mode says."""
    stack = ExitStack()
    if mode == "off, then on again":
        telemetry.instrument_telegram(application).close()
    if mode != "never on":
        stack.enter_context(telemetry.instrument_telegram(application))
    return stack


async def play(program: Program, mode: str, folder: Path) -> list[str]:
    """Run a program's script against the real protocol; return what the bot answered."""
    async with serve(Pace(scale=0)) as addresses:
        url = addresses.url("telegram")
        builder = Application.builder().token(addresses.environment()["TELEGRAM_BOT_TOKEN"])
        application = program.prepare(builder.base_url(f"{url}/bot"), folder).build()
        program.add_handlers(application)
        with instrument(application, mode):
            async with application, httpx.AsyncClient(base_url=url, timeout=20) as user:
                await application.start()
                assert application.updater is not None
                await application.updater.start_polling(timeout=1)
                answers = [await act(user, what) for what, _ in program.script]
                await asyncio.sleep(0.1)
                await application.updater.stop()
                await application.stop()
    return answers


async def act(user: httpx.AsyncClient, what: str) -> str:
    """Do one thing as a user and wait for the bot's answer."""
    chat = f"/control/chats/{USER}/messages"
    before = len((await user.get(chat)).json())
    body = {"user_id": USER, "username": "anna", "kind": "press" if what == PRESS else "text", "text": what}
    if what == PRESS:
        del body["text"]
    (await user.post("/control/updates", json=body)).raise_for_status()
    return str((await user.get(chat, params={"after": before, "timeout": 10})).json()[-1]["text"])


@pytest.mark.parametrize("mode", ["never on", "on", "off, then on again"])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
async def test_a_program_behaves_the_same_and_is_seen_when_asked(
    program: Program, mode: str, recorded: Recorded, tmp_path: Path
) -> None:
    assert await play(program, mode, tmp_path) == [answer for _, answer in program.script]
    names = [span.name for span in recorded.spans]
    if mode == "never on":
        assert names == []
        assert recorded.series().keys() <= {"work.in.flight"}
    else:
        assert program.spans <= set(names)
        assert names.count("telegram.update") == len(program.script)
        assert sum(recorded.metrics()["telegram.messages"].values()) == len(program.script)


async def test_a_restart_with_persistence_goes_on_where_it_was(recorded: Recorded, tmp_path: Path) -> None:
    program = next(program for program in PROGRAMS if program.name == "persistence")
    await play(program, "on", tmp_path)
    assert await play(program, "on", tmp_path) == ["That makes 3.", "That makes 4."]
    turns = [span for span in recorded.spans if span.name == "telegram.update"]
    assert turns[1].context is not None
    assert [link.context.trace_id for link in turns[2].links] == [turns[1].context.trace_id]
