"""The runtime collector: one round at a time, whatever the database does, and a heartbeat in each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator

import pytest

from telemetry import start_runtime_collector
from telemetry.settings import Settings
from tests.conftest import Recorded, record


@pytest.fixture
def every_20_ms() -> Iterator[Recorded]:
    yield from record(Settings(runtime_interval_seconds=0.02))


class Database:
    """Answers, fails or hangs, as it is told, and counts who asks at once."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked, self.asking, self.most = list(answers), 0, 0, 0

    async def active_users(self) -> dict[str, int]:
        self.asked, self.asking = self.asked + 1, self.asking + 1
        self.most = max(self.most, self.asking)
        try:
            answer = self.answers.pop(0) if self.answers else "ok"
            if answer == "hangs":
                await asyncio.sleep(600)
            if answer == "fails":
                raise ConnectionError("the database is away")
            return {"last_hour": self.asked, "last_day": 8, "last_week": 9}
        finally:
            self.asking -= 1


async def rounds(database: Database, number: int) -> None:
    with start_runtime_collector(active_users=database.active_users):
        for _ in range(500):
            await asyncio.sleep(0.005)
            if database.asked >= number:
                break
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("trouble", ["fails", "hangs"])
async def test_an_outage_is_survived_said_once_and_never_piles_up(
    every_20_ms: Recorded, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    database = Database("ok", trouble, trouble, trouble)
    with caplog.at_level(logging.WARNING, "telemetry"):
        await rounds(database, 6)
    assert every_20_ms.metrics()["active.users.total"]["last_hour",] >= 5
    assert (database.most, database.asking) == (1, 0)
    assert caplog.text.count("telemetry could not read") == 1


async def test_the_last_answer_stays_while_the_database_is_away(every_20_ms: Recorded) -> None:
    await rounds(Database("ok", *["fails"] * 50), 3)
    assert every_20_ms.metrics()["active.users.total"]["last_hour",] == 1


async def test_the_heart_beats_while_the_database_is_away(every_20_ms: Recorded) -> None:
    before = time.time()
    await rounds(Database(*["fails"] * 50), 3)
    (beat,) = every_20_ms.metrics()["telemetry.heartbeat.time"].values()
    assert before + 0.03 <= beat <= time.time()


async def test_closed_it_asks_no_more(every_20_ms: Recorded) -> None:
    database = Database()
    await rounds(database, 2)
    asked = database.asked
    await asyncio.sleep(0.1)
    assert database.asked == asked
