"""The health agent as it really runs: processes, local services, an embedded PostgreSQL; telemetry is off."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING, Any, LiteralString

import httpx
import psycopg
import pytest
import pytest_asyncio

from examples.health_agent import processes
from examples.health_agent.embedded import passing_url
from examples.health_agent.local.media import jpeg, ogg
from examples.health_agent.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OFF = {"ENABLE_SENTRY": "false", "ENABLE_METRICS": "false", "ENABLE_TRACING": "false"}
FAST = {"LOCAL_DELAY_SCALE": "0.02", "REMINDER_POLL_SECONDS": "0.2"}
ANSWER_SECONDS = 20


class Agent:
    """The running application, as its users and API clients see it."""

    def __init__(self, client: httpx.AsyncClient, environment: dict[str, str], api: str) -> None:
        self.client, self.environment = client, environment
        self.api, self.telegram = api, environment["TELEGRAM_API_URL"]

    async def say(self, user: int, text: str) -> str:
        """Write a text and return the bot's answer."""
        return await self.write(user, kind="text", text=text)

    async def show(self, user: int, plate: object) -> str:
        """Send a photo of a plate."""
        return await self.write(user, kind="photo", data=base64.b64encode(jpeg(plate)).decode())

    async def speak(self, user: int, words: str) -> str:
        """Send a voice message."""
        return await self.write(user, kind="voice", data=base64.b64encode(ogg(words)).decode())

    async def press(self, user: int) -> str:
        """Press the button of the bot's last message."""
        return await self.write(user, kind="press")

    async def write(self, user: int, **update: str) -> str:
        """Send an update and return the text of the bot's next message."""
        seen = len(await self.messages(user))
        body = {"user_id": user, "username": f"user{user}", **update}
        (await self.client.post(f"{self.telegram}/control/updates", json=body)).raise_for_status()
        [answer] = await self.messages(user, after=seen, timeout=ANSWER_SECONDS)
        return str(answer["text"])

    async def messages(self, user: int, *, after: int = 0, timeout: float = 0) -> list[dict[str, Any]]:  # noqa: ASYNC109
        """Return what the bot sent to a user."""
        parameters = {"after": after, "timeout": timeout}
        response = await self.client.get(f"{self.telegram}/control/chats/{user}/messages", params=parameters)
        found: list[dict[str, Any]] = response.json()
        return found

    async def rows(self, query: LiteralString) -> list[tuple[Any, ...]]:
        """Ask the database."""
        async with await psycopg.AsyncConnection.connect(self.environment["DATABASE_URL"]) as connection:
            return await (await connection.execute(query)).fetchall()


@pytest.fixture(scope="session")
def database() -> str:
    return passing_url()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def agent(database: str) -> AsyncIterator[Agent]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings({"DATABASE_URL": database, "API_PORT": str(port)})
    common = OFF | FAST | {"API_PORT": str(port)}
    running = await processes.start(settings, processes.Plan(common, real_services=False))
    try:
        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_keepalive_connections=0)) as client:
            yield Agent(client, running.environment, f"http://127.0.0.1:{port}/api")
    finally:
        codes = await running.stop("bot", "api")
        await running.stop_all()
    assert codes == {"bot": 0, "api": 0}
