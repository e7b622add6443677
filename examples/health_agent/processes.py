"""The application's processes and the stand-ins they need: started in order, watched, stopped, none left behind."""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from .db import database_url, fresh_database
from .settings import DATA, ROOT, ConfigurationError, Settings

__all__ = [
    "Plan",
    "ProcessError",
    "Processes",
    "check_port",
    "start",
    "start_services",
    "wait_until_healthy",
    "without_real",
]

LOGS = DATA / "demo"
HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
LOG_LINES = 15


class ProcessError(Exception):
    """A process did not start or ended by itself; the text says why."""


@dataclass
class Processes:
    """The running children by name, and the environment the application got."""

    environment: dict[str, str]
    children: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def spawn(self, name: str, command: str, environment: Mapping[str, str]) -> asyncio.subprocess.Process:
        """Start `python -m examples.health_agent <command>`, its output going to a log file.

        A session of its own keeps Ctrl-C away from it: the demo stops it, so that it can flush.
        """
        LOGS.mkdir(parents=True, exist_ok=True)
        output = asyncio.subprocess.PIPE if command == "services" else None
        with (LOGS / f"{name}.log").open("w") as log:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "examples.health_agent", command),
                stdin=asyncio.subprocess.PIPE,
                stdout=output or log,
                stderr=log,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        self.children[name] = child
        return child

    def check(self) -> None:
        """Raise ProcessError, with the end of its log, where a process has ended by itself."""
        for name, child in self.children.items():
            if child.returncode is not None:
                raise ProcessError(f"the {name} process ended with status {child.returncode}:\n{_tail(name)}")

    async def stop(self, *names: str) -> dict[str, int]:
        """Ask processes to stop, wait, kill what does not; return their exit statuses."""
        stopping = {name: self.children.pop(name) for name in names if name in self.children}
        for child in stopping.values():
            with suppress(ProcessLookupError):
                child.terminate()
        codes = await asyncio.gather(*(_ended(child) for child in stopping.values()))
        return dict(zip(stopping, codes, strict=True))

    async def stop_all(self) -> None:
        """Stop every process."""
        await self.stop("bot", "api")
        await self.stop(*list(self.children))


async def _ended(child: asyncio.subprocess.Process) -> int:
    try:
        async with asyncio.timeout(STOP_SECONDS):
            return await child.wait()
    except TimeoutError:
        child.kill()
        return await child.wait()


def _tail(name: str) -> str:
    lines = (LOGS / f"{name}.log").read_text(errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES:])


def check_port(settings: Settings) -> None:
    """Raise ConfigurationError where the API's port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, settings.api_port))
        except OSError:
            raise ConfigurationError(
                f"port {settings.api_port} is in use: stop what listens there, or set API_PORT to a free one"
            ) from None


@dataclass(frozen=True)
class Plan:
    """How to start: variables for every process, further ones for one of them, whether real services are used.

    `fresh_database` names a database to be made anew for this run; without it the application's own is used.
    """

    common: Mapping[str, str] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    real_services: bool = True
    fresh_database: str = ""


async def start(settings: Settings, plan: Plan) -> Processes:
    """Start local services, database, API and bot, and wait until each answers."""
    processes = Processes({**os.environ, "STOP_WITH_STDIN": "1", **plan.common})
    try:
        await _start_all(processes, settings, plan)
    except BaseException:
        await processes.stop_all()
        raise
    return processes


async def _start_all(processes: Processes, settings: Settings, plan: Plan) -> None:
    local = await start_services(processes)
    processes.environment |= without_real(local, os.environ) if plan.real_services else local
    processes.environment["DATABASE_URL"] = await asyncio.to_thread(_database, settings, plan)
    for name in ("api", "bot"):
        await processes.spawn(name, name, {**processes.environment, **plan.own.get(name, {})})
    await _until_ready(processes, settings.api_port)


async def start_services(processes: Processes) -> dict[str, str]:
    """Start the stand-ins alone and return the variables that lead to them."""
    services = await processes.spawn("services", "services", processes.environment)
    if services.stdout is None or not (line := await services.stdout.readline()):
        raise ProcessError(f"the local services did not start:\n{_tail('services')}")
    found: dict[str, str] = json.loads(line)
    return found


def _database(settings: Settings, plan: Plan) -> str:
    url = database_url(settings)
    return fresh_database(url, plan.fresh_database) if plan.fresh_database else url


def without_real(local: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the local addresses without those of services that a key is given for."""
    real = {prefix for prefix, key in KEYS.items() if given.get(key)}
    return {name: value for name, value in local.items() if name.partition("_")[0] not in real}


KEYS = {
    "TELEGRAM": "TELEGRAM_BOT_TOKEN",
    "ANTHROPIC": "ANTHROPIC_API_KEY",
    "OPENAI": "OPENAI_API_KEY",
    "USDA": "USDA_API_KEY",
}


async def _until_ready(processes: Processes, port: int) -> None:
    """Wait until the API says it is healthy and, where the Bot API is local, the bot polls."""
    telegram = processes.environment.get("TELEGRAM_API_URL")
    deadline = time.monotonic() + START_SECONDS
    async with httpx.AsyncClient(timeout=2) as client:
        while not (await _healthy(client, port) and (telegram is None or await _polls(client, telegram))):
            processes.check()
            if time.monotonic() > deadline:
                raise ProcessError(f"API and bot did not answer within {START_SECONDS:.0f} s:\n{_tail('bot')}")
            await asyncio.sleep(0.1)


async def wait_until_healthy(processes: Processes, port: int) -> None:
    """Wait for an API that was started besides."""
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(timeout=2) as client:
        while not await _healthy(client, port):
            processes.check()
            await asyncio.sleep(0.1)


async def _healthy(client: httpx.AsyncClient, port: int) -> bool:
    with suppress(httpx.TransportError):
        return (await client.get(f"http://{HOST}:{port}/health")).is_success
    return False


async def _polls(client: httpx.AsyncClient, telegram: str) -> bool:
    return "getUpdates" in (await client.get(f"{telegram}/control/state")).json()["calls"]
