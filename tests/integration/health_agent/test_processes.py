"""The program's own commands, as processes."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


async def run(*command: str, **environment: str) -> asyncio.subprocess.Process:
    """Start a command with nothing of the caller's configuration."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.health_agent", *command),
        cwd=ROOT,
        env=kept | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_a_bot_without_a_token_says_what_to_do() -> None:
    process = await run("bot", DATABASE_URL="postgresql:///unused", ENABLE_SENTRY="false")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"bot: TELEGRAM_BOT_TOKEN is not set: set it, or run `python -m examples.health_agent local`" in errors


async def test_a_demo_without_a_stack_says_what_to_do() -> None:
    process = await run("demo", DEMO_IN_STACK_ENVIRONMENT="1")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"start the stack and this demo with `make demo`" in errors


@pytest.mark.parametrize("end", ["end of input", "SIGTERM"])
async def test_the_local_services_end_with_who_started_them(end: str) -> None:
    process = await run("services", STOP_WITH_STDIN="1")
    assert process.stdin is not None
    assert process.stdout is not None
    assert b"TELEGRAM_API_URL" in await process.stdout.readline()
    process.terminate() if end == "SIGTERM" else process.stdin.close()
    async with asyncio.timeout(10):
        await process.communicate()
    assert process.returncode == 0


async def test_a_chat_without_a_program_says_what_to_do() -> None:
    process = await run("chat")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"chat: a program is needed: python -m examples.health_agent chat python -m your_bot" in errors


@pytest.mark.parametrize(
    ("program", "status"), [("import sys; sys.exit(3)", 3), ("import time; time.sleep(60)", 0)], ids=["ends", "runs on"]
)
async def test_a_chat_ends_with_its_program_or_its_input(program: str, status: int) -> None:
    process = await run("chat", sys.executable, "-c", program)
    assert process.stdin is not None
    assert process.stdout is not None
    assert b"Write to the bot" in await process.stdout.readline()
    if status == 0:
        process.stdin.close()
    async with asyncio.timeout(20):
        await process.wait()
    assert process.returncode == status


async def test_a_chats_program_is_told_where_the_stand_ins_are_but_for_services_with_a_key() -> None:
    show = "import os; print(sorted(name for name in os.environ if name.endswith(('_URL', '_TOKEN'))), flush=True)"
    process = await run("chat", sys.executable, "-c", show, ANTHROPIC_API_KEY="real")
    out, _ = await process.communicate()
    assert b"'OPENAI_BASE_URL', 'TELEGRAM_API_URL', 'TELEGRAM_BOT_TOKEN', 'USDA_API_URL'" in out
    assert b"ANTHROPIC_BASE_URL" not in out
