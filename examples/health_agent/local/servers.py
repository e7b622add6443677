"""The local services on free loopback ports, all on one event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from . import anthropic, openai, telegram, usda
from .service import Pace

__all__ = ["LOCAL_KEY", "Addresses", "serve", "serve_app"]

HOST = "127.0.0.1"
LOCAL_KEY = "local-key"
STOP_SECONDS = 1


@dataclass(frozen=True)
class Addresses:
    """The port of each service."""

    telegram: int
    anthropic: int
    openai: int
    usda: int

    def url(self, service: str) -> str:
        """Return the root of a service."""
        return f"http://{HOST}:{getattr(self, service)}"

    def environment(self) -> dict[str, str]:
        """Return the variables that point the application here and tell the SDK which port stands for which service."""
        known = [f"{HOST}:{getattr(self, name)}={name}" for name in ("openai", "anthropic", "usda")]
        return {
            "TELEGRAM_BOT_TOKEN": telegram.TOKEN,
            "TELEGRAM_API_URL": self.url("telegram"),
            "ANTHROPIC_API_KEY": LOCAL_KEY,
            "ANTHROPIC_BASE_URL": self.url("anthropic"),
            "OPENAI_API_KEY": LOCAL_KEY,
            "OPENAI_BASE_URL": f"{self.url('openai')}/v1",
            "USDA_API_KEY": LOCAL_KEY,
            "USDA_API_URL": f"{self.url('usda')}/fdc",
            "TELEMETRY_EXTERNAL_SERVICES": ",".join(known),
        }


class _Server(uvicorn.Server):
    """A server that leaves signals to its owner; several share one process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serve(pace: Pace) -> AsyncIterator[Addresses]:
    """Serve all services until the block is left."""
    apps: dict[str, ASGIApp] = {
        "telegram": telegram.create_app(),
        "anthropic": anthropic.create_app(pace),
        "openai": openai.create_app(pace),
        "usda": usda.create_app(pace),
    }
    async with AsyncExitStack() as running:
        yield Addresses(**{name: await running.enter_async_context(serve_app(app)) for name, app in apps.items()})


@asynccontextmanager
async def serve_app(app: ASGIApp) -> AsyncIterator[int]:
    """Serve one application on a free loopback port, which it gives, until the block is left."""
    bound = _free_port()
    server = _server(app)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:  # noqa: ASYNC110  uvicorn offers no event
            await asyncio.sleep(0.01)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        await task


def _free_port() -> socket.socket:
    bound = socket.socket()
    bound.bind((HOST, 0))
    return bound


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=STOP_SECONDS
    )
    return _Server(config)
