"""The local services as a process of their own, which tells their addresses as one JSON line."""

import asyncio
import json
import signal
import sys

from examples.health_agent.settings import Settings

from .servers import serve
from .service import Pace

__all__ = ["run"]


async def run(settings: Settings) -> None:
    """Serve until SIGINT, SIGTERM, or the end of standard input, so that no server outlives who started it."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    pace = Pace(int(settings.number("LOCAL_SEED", 0)), settings.number("LOCAL_DELAY_SCALE", 1.0))
    async with serve(pace) as addresses:
        sys.stdout.write(json.dumps(addresses.environment()) + "\n")
        sys.stdout.flush()
        if settings.text("LOCAL_STOP_WITH_STDIN"):
            loop.add_reader(sys.stdin.fileno(), stop.set)
        await stop.wait()
