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
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    pace = Pace(int(settings.number("LOCAL_SEED", 0)), settings.number("LOCAL_DELAY_SCALE", 1.0))
    async with serve(pace) as addresses:
        sys.stdout.write(json.dumps(addresses.environment()) + "\n")
        sys.stdout.flush()
        await stop.wait()
