"""Random schedules: all servers fail at random, from a seed; nothing that was acknowledged may be lost."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING

from bench.faults.proxy import HEALTHY, Behaviour
from bench.faults.run import Row, close
from bench.faults.scene import Setting, scene
from bench.faults.servers import COLLECTOR, JAEGER, PROMETHEUS

if TYPE_CHECKING:
    from bench.faults.scene import Scene

__all__ = ["run_schedule"]

_ANSWERS = (
    Behaviour(status=503),
    Behaviour(status=502),
    Behaviour(status=429, retry_after=1),
    Behaviour(hangs=True),
    Behaviour(delay_seconds=0.7),
    Behaviour(loses_answer=True),
)
_LONGEST_SECONDS = 15.0


def run_schedule(seed: int, seconds: float, setting: Setting | None = None) -> Row:
    """Let everything fail at random for so long; a quarter of the time, roughly, each server is well."""
    with scene(setting) as made:
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=_fail, args=(made, name, random.Random(f"{seed} {name}"), until), daemon=True)
            for name in (PROMETHEUS, JAEGER, COLLECTOR)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return close(f"random schedule, seed {seed}", made, made.drain())


def _fail(made: Scene, name: str, chance: random.Random, until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, chance.uniform(0.5, _LONGEST_SECONDS / 2)))
        for_seconds = min(left, chance.uniform(0.5, _LONGEST_SECONDS))
        if name == COLLECTOR:
            made.collector.restart(chance.choice((signal.SIGTERM, signal.SIGKILL)))
        elif chance.random() < 1 / 3:
            _stop(made, name, chance.choice((signal.SIGTERM, signal.SIGKILL)), for_seconds)
        else:
            _answer(made, name, chance.choice(_ANSWERS), for_seconds)


def _stop(made: Scene, name: str, how: signal.Signals, seconds: float) -> None:
    made.servers[name].stop(how)
    time.sleep(seconds)
    made.servers[name].start()


def _answer(made: Scene, name: str, behaviour: Behaviour, seconds: float) -> None:
    proxy = made.prometheus if name == PROMETHEUS else made.jaeger
    proxy.behave(behaviour)
    time.sleep(seconds)
    proxy.behave(HEALTHY)
