"""The short form of `make faults`: of all that the Collector acknowledged, each item is stored or counted as lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from bench.faults.faults import FAULTS, WITHOUT_STORAGE
from bench.faults.lag import Lag
from bench.faults.run import Pace, Row, run
from bench.faults.schedule import run_schedule
from bench.faults.senders import Ledger
from tests.stack.stack_helpers import eventually

SHORT = Pace(before=0.5, during=4.0, after=0.5)
LONGER = Pace(before=0.5, during=13.0, after=0.5)
"""For what is given up after four seconds, three times."""
CHOSEN = {
    "Prometheus stopped": SHORT,
    "Prometheus answers 400": SHORT,
    "Jaeger loses its answers": SHORT,
    "Collector killed, stores away": SHORT,
    "disk full": SHORT,
    "queue files damaged": SHORT,
    "queue full": SHORT,
    "spans no store takes": LONGER,
    "attributes of 100 KB": SHORT,
    "clock an hour ahead": SHORT,
}
BY_NAME = {fault.name: fault for fault in FAULTS}


SCHEDULE, WITHOUT = "random schedule", WITHOUT_STORAGE.name


@pytest.fixture(scope="module")
def rows() -> Iterator[dict[str, Future[Row]]]:
    """Three runs at a time, each on servers of its own; they mostly wait."""
    with ThreadPoolExecutor(3) as pool:
        found = {SCHEDULE: pool.submit(run_schedule, 7, 20.0), WITHOUT: pool.submit(run, WITHOUT_STORAGE, SHORT)}
        chosen = {name: pace for name, pace in CHOSEN.items() if _is_possible(name)}
        yield found | {name: pool.submit(run, BY_NAME[name], pace) for name, pace in chosen.items()}


def _is_possible(name: str) -> bool:
    return not BY_NAME[name].setting.disk or os.geteuid() == 0


@pytest.mark.parametrize("name", CHOSEN)
def test_nothing_is_unaccounted_for_after(name: str, rows: dict[str, Future[Row]]) -> None:
    if not _is_possible(name):
        pytest.skip("only root may mount a small disk")
    row = rows[name].result()
    assert row.problems == []
    assert row.unsure == 0


def test_when_everything_fails_at_random_nothing_is_lost(rows: dict[str, Future[Row]]) -> None:
    row = rows[SCHEDULE].result()
    assert row.problems == []
    assert sum(sum(account.dropped.values()) for account in row.accounts.values()) == 0


def test_the_harness_sees_what_a_collector_without_storage_loses(rows: dict[str, Future[Row]]) -> None:
    row = rows[WITHOUT].result()
    assert [problem.split()[-1] for problem in row.problems] == ["unaccounted", "unaccounted"]
    assert min(account.unaccounted for account in row.accounts.values()) > 100


class NeverStored(Lag):
    def newest(self) -> tuple[str, float]:
        return "an item", 0.0

    def is_stored(self, client: httpx.Client, item: tuple[str, float]) -> bool:
        return False


def test_a_delay_that_still_lasts_is_seen() -> None:
    lag = NeverStored(Ledger(), "http://127.0.0.1:9")
    lag.start()
    eventually(lambda: lag.worst_seconds > 1)
    lag.stop()
