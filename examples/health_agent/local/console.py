"""A bot and stand-ins for whatever has no key, in one terminal: type to the bot as its user does."""

import asyncio
import os
from asyncio.subprocess import DEVNULL
from collections.abc import Coroutine, Sequence

import httpx
from rich.console import Console

from examples.health_agent.processes import HOST, Plan, Processes, check_port, start, start_services, without_real
from examples.health_agent.settings import ConfigurationError, Settings
from examples.health_agent.standard_input import lines

__all__ = ["run", "run_program"]

USER = {"user_id": 4242, "username": "you"}
ANSWER_SECONDS = 60
STOP_SECONDS = 10


async def run(settings: Settings) -> int:
    """Run until the input ends. With a real bot token the chat is on Telegram and this only waits."""
    console = Console()
    check_port(settings)
    processes = await start(settings, Plan())
    try:
        console.print(f"API: http://{HOST}:{settings.api_port}/docs", highlight=False)
        await _talk(console, processes.environment.get("TELEGRAM_API_URL"))
    finally:
        await asyncio.shield(processes.stop_all())
    return 0


async def run_program(command: Sequence[str]) -> int:
    """Run a program with stand-ins for every service that has no key; return its exit status, 0 when it was stopped.

    It ends with its input, by SIGTERM, or when the program does.
    """
    if not command:
        raise ConfigurationError("a program is needed: python -m examples.health_agent chat python -m your_bot")
    processes = Processes({**os.environ, "STOP_WITH_STDIN": "1"})
    try:
        local = without_real(await start_services(processes), os.environ)
        program = await asyncio.create_subprocess_exec(*command, env={**os.environ, **local}, stdin=DEVNULL)
        try:
            return await _until_it_ends(program, _talk(Console(), local.get("TELEGRAM_API_URL")))
        finally:
            await asyncio.shield(_stop(program))
    finally:
        await asyncio.shield(processes.stop_all())


async def _until_it_ends(program: asyncio.subprocess.Process, talk: Coroutine[None, None, None]) -> int:
    talking, running = asyncio.create_task(talk), asyncio.create_task(program.wait())
    done, waiting = await asyncio.wait({talking, running}, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    if talking in done:
        await talking
        return 0
    return await running


async def _stop(program: asyncio.subprocess.Process) -> None:
    """Let the program stop at SIGTERM, as it would anywhere."""
    if program.returncode is None:
        program.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await program.wait()
    except TimeoutError:
        program.kill()


async def _talk(console: Console, telegram: str | None) -> None:
    """Chat until the input ends; with a real bot token the chat is on Telegram and this only waits."""
    if telegram is None:
        console.print("The bot is on Telegram. Ctrl-D ends it.")
        async for _ in lines():
            pass
    else:
        console.print("Write to the bot; Ctrl-D ends it. Try /help, or: I had an apple")
        await _chat(console, telegram)


async def _chat(console: Console, telegram: str) -> None:
    async with httpx.AsyncClient(base_url=telegram, timeout=ANSWER_SECONDS + 5) as client:
        reader = asyncio.create_task(_print_answers(console, client))
        try:
            async for line in lines():
                if line.strip():
                    update = USER | {"kind": "text", "text": line.strip()}
                    (await client.post("/control/updates", json=update)).raise_for_status()
        finally:
            reader.cancel()


async def _print_answers(console: Console, client: httpx.AsyncClient) -> None:
    seen, path = 0, f"/control/chats/{USER['user_id']}/messages"
    while True:
        messages = (await client.get(path, params={"after": seen, "timeout": ANSWER_SECONDS})).json()
        for message in messages:
            console.print(f"[cyan]coach>[/] {message['text']}", highlight=False)
        seen += len(messages)
