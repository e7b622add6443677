"""The runtime collector: what has to be asked for, asked every 60 seconds by one task, and the event loop's lag.

Active users and the database's size are read from the database. A question that fails keeps the last answer and is
asked again in the next round; one that takes longer than a round is given up, so that rounds never pile up. Each round
begins with a heartbeat, whether the database answers or not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from telemetry import catalog
from telemetry._runtime import current
from telemetry.instrumentation._handle import Handle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from psycopg_pool import AsyncConnectionPool

    ActiveUsers = Callable[[], Awaitable[Mapping[str, int]]]

__all__ = ["start_runtime_collector"]

_logger = logging.getLogger("telemetry")
_LAG_SECONDS = 0.1
_DATABASE_SIZE = "SELECT pg_database_size(current_database())"


def start_runtime_collector(
    *, active_users: ActiveUsers | None = None, pool: AsyncConnectionPool[Any] | None = None
) -> Handle:
    """Start asking, on the running event loop; closing the handle stops it.

    `active_users` returns how many users were active in the `last_hour`, `last_day` and `last_week`; `pool` is asked
    for the size of its database in bytes. Raises `RuntimeError` without a running event loop.
    """
    loop = asyncio.get_running_loop()
    asking = loop.create_task(_collect_for_ever(active_users, pool), name="telemetry.runtime")
    watching = loop.create_task(_watch_lag(), name="telemetry.lag")
    return Handle(_canceller(asking), _canceller(watching))


def _canceller(task: asyncio.Task[None]) -> Callable[[], None]:
    def cancel() -> None:
        task.cancel()

    return cancel


async def _watch_lag() -> None:
    """Sleep a little, again and again; what it takes longer is the time somebody has blocked the event loop."""
    while True:
        due = time.perf_counter() + _LAG_SECONDS
        await asyncio.sleep(_LAG_SECONDS)
        current().instruments.record(catalog.EVENT_LOOP_LAG, max(0.0, time.perf_counter() - due))


async def _collect_for_ever(active_users: ActiveUsers | None, pool: AsyncConnectionPool[Any] | None) -> None:
    failed = False
    while True:
        seconds = current().settings.runtime_interval_seconds
        current().instruments.set(catalog.HEARTBEAT, time.time())
        try:
            async with asyncio.timeout(seconds):
                await _collect(active_users, pool)
            failed = False
        except Exception:
            if not failed:
                _logger.warning("telemetry could not read active users or the database's size; trying again each "
                                "%.0f s", seconds, exc_info=True)  # fmt: skip
            failed = True
        await asyncio.sleep(seconds)


async def _collect(active_users: ActiveUsers | None, pool: AsyncConnectionPool[Any] | None) -> None:
    instruments = current().instruments
    if active_users is not None:
        for period, count in (await active_users()).items():
            instruments.set(catalog.ACTIVE_USERS, count, {"time_period": period})
    if pool is not None:
        async with pool.connection() as connection:
            row = await (await connection.execute(_DATABASE_SIZE)).fetchone()
        if row is not None:
            instruments.set(catalog.DB_SIZE, float(next(iter(row.values())) if isinstance(row, dict) else row[0]))
