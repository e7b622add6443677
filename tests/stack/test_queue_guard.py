"""A damaged queue file is moved aside before the Collector opens it; a whole one is left as it is."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.faults.senders import Ledger, Load, SpanSender
from bench.faults.servers import COLLECTOR, Place, Server, servers
from collector.queue_guard import in_use, problem
from stack.settings import ROOT
from tests.stack.stack_helpers import eventually

QUEUE = "exporter_otlp_http_jaeger_traces"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A queue file with some hundred requests, as a killed Collector leaves it."""
    place = Place(tmp_path_factory.mktemp("whole"), {"JAEGER_OTLP_ENDPOINT": "http://127.0.0.1:9"})
    collector = servers(place)[COLLECTOR]
    collector.start()
    ledger = Ledger()
    sender = SpanSender(place.url("OTLP_HTTP_PORT"), ledger, "spans", Load(items=5, pause_seconds=0.0))
    sender.start()
    eventually(lambda: len(ledger.spans) > 300)
    sender.stop()
    collector.stop(signal.SIGKILL)
    return (place.folder / "collector" / "queue" / QUEUE).read_bytes()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "collector" / "queue").mkdir(parents=True)
    return Place(tmp_path, {"JAEGER_OTLP_ENDPOINT": "http://127.0.0.1:9"})


@pytest.fixture
def collector(place: Place) -> Iterator[Server]:
    server = servers(place)[COLLECTOR]
    yield server
    server.stop()


def queue(place: Place) -> Path:
    return place.folder / "collector" / "queue" / QUEUE


def _with(data: bytes, at: int, damage: bytes) -> bytes:
    return data[:at] + damage + data[at + len(damage) :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "garbage": lambda data: os.urandom(len(data)),
    "zeros": lambda data: bytes(len(data)),
    "text": lambda _: b"garbage\n",
    "no head": lambda data: _with(data, 0, os.urandom(8192)),
    "cut short": lambda data: data[:16384],
    "garbage from the middle on": lambda data: _with(data, len(data) // 3, os.urandom(len(data) // 3)),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_the_collector_starts_with_a_file_that_is(kind: str, whole: bytes, place: Place, collector: Server) -> None:
    queue(place).write_bytes(DAMAGE[kind](whole))
    collector.start()
    (kept,) = queue(place).parent.glob(f"{QUEUE}.damaged-*")
    assert f"It was moved to {kept.name}" in collector.words()


@pytest.mark.parametrize("seed", range(12))
def test_what_the_guard_calls_whole_the_collector_can_open(
    seed: int, whole: bytes, place: Place, collector: Server
) -> None:
    chance = random.Random(seed)  # noqa: S311 - damage
    queue(place).write_bytes(_with(whole, chance.randrange(len(whole)), chance.randbytes(chance.choice((1, 16, 500)))))
    collector.start()


def test_a_whole_file_is_left_alone_and_its_requests_wait_again(whole: bytes, place: Place, collector: Server) -> None:
    queue(place).write_bytes(whole)
    assert problem(queue(place)) == ""
    collector.start()
    assert "Moved items for dispatching back to queue" in collector.words()
    assert "queue guard" not in collector.words()


def test_the_names_are_those_that_the_collector_opens(place: Place, collector: Server) -> None:
    collector.start()
    (guarded,) = [word for word in collector.command if word == QUEUE]
    names = collector.command[collector.command.index(guarded) : collector.command.index("--")]
    assert sorted(names) == sorted(path.name for path in queue(place).parent.iterdir())


def test_room_for_the_whole_queue_is_set_aside(place: Place, collector: Server) -> None:
    collector.start()
    assert queue(place).stat().st_blocks * 512 >= 268_435_456 * 1.5


def test_a_file_that_a_running_collector_has_open_is_not_looked_at(place: Place, collector: Server) -> None:
    collector.start()
    assert in_use(queue(place))
    guard = [sys.executable, str(ROOT / "collector" / "queue_guard.py"), f"--directory={queue(place).parent}"]
    subprocess.run([*guard, "--bytes=1000", QUEUE], check=True)
    assert [path.name for path in queue(place).parent.glob(f"{QUEUE}*")] == [QUEUE]
