"""API, bot and stand-ins for whatever has no key, in one terminal: type to the bot as its user does."""

import asyncio

import httpx
from rich.console import Console

from examples.health_agent.processes import HOST, Plan, check_port, start
from examples.health_agent.settings import Settings
from examples.health_agent.standard_input import lines

__all__ = ["run"]

USER = {"user_id": 4242, "username": "you"}
ANSWER_SECONDS = 60


async def run(settings: Settings) -> int:
    """Run until the input ends. With a real bot token the chat is on Telegram and this only waits."""
    console = Console()
    check_port(settings)
    processes = await start(settings, Plan())
    try:
        console.print(f"API: http://{HOST}:{settings.api_port}/docs", highlight=False)
        if settings.text("TELEGRAM_BOT_TOKEN"):
            console.print("The bot is on Telegram. Ctrl-D ends it.")
            async for _ in lines():
                pass
        else:
            console.print("Write to the bot; Ctrl-D ends it. Try /help, or: I had an apple")
            await _chat(console, processes.environment["TELEGRAM_API_URL"])
    finally:
        await asyncio.shield(processes.stop_all())
    return 0


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
