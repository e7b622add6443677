"""What happens to a scene: each makes a fault, waits for the given seconds, and ends it."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from bench.faults.proxy import HEALTHY, Behaviour
from bench.faults.senders import Load, MetricSender, SpanSender
from bench.faults.servers import servers

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.faults.proxy import Proxy
    from bench.faults.scene import Scene

__all__ = [
    "AWAY",
    "another_configuration",
    "answers",
    "away",
    "both_away",
    "burst",
    "busy",
    "clock",
    "damaged",
    "disk_full",
    "frozen",
    "killed_often",
    "poison",
    "refused_with",
    "restarted",
    "said",
]

AWAY = Behaviour(status=503)
_POISON = "qzxjkvw"
"""In a name, it makes a request one that the store never takes."""


def answers(store: str, behaviour: Behaviour) -> Callable[[Scene, float], None]:
    """Let a store, or the proxy before it, behave so."""

    def happen(scene: Scene, seconds: float) -> None:
        proxy: Proxy = getattr(scene, store)
        proxy.behave(behaviour)
        time.sleep(seconds)
        proxy.behave(HEALTHY)

    return happen


def away(store: str, how: signal.Signals) -> Callable[[Scene, float], None]:
    """End a store by a signal, and start it again."""

    def happen(scene: Scene, seconds: float) -> None:
        scene.servers[store].stop(how)
        time.sleep(seconds)
        scene.servers[store].start()

    return happen


def frozen(name: str) -> Callable[[Scene, float], None]:
    """Stop a server in its tracks; its connections stay open."""

    def happen(scene: Scene, seconds: float) -> None:
        scene.servers[name].signal(signal.SIGSTOP)
        time.sleep(seconds)
        scene.servers[name].signal(signal.SIGCONT)

    return happen


def both_away(scene: Scene, seconds: float) -> None:
    """Let both stores answer 503."""
    scene.behave(AWAY)
    time.sleep(seconds)
    scene.behave(HEALTHY)


def restarted(how: signal.Signals) -> Callable[[Scene, float], None]:
    """Restart the Collector while both stores are away."""

    def happen(scene: Scene, seconds: float) -> None:
        scene.behave(AWAY)
        time.sleep(seconds / 2)
        scene.watch.look()
        scene.collector.restart(how)
        time.sleep(seconds / 2)
        scene.behave(HEALTHY)

    return happen


def killed_often(scene: Scene, seconds: float) -> None:
    """Kill the Collector five times."""
    for _ in range(5):
        time.sleep(seconds / 5)
        scene.collector.restart(signal.SIGKILL)


def another_configuration(scene: Scene, seconds: float) -> None:
    """Restart it with a full queue, as another version of its configuration and program would be."""
    scene.behave(AWAY)
    time.sleep(seconds)
    scene.collector.stop()
    scene.place.extra["COLLECTOR_QUEUE_BYTES"] = "40000000"
    newer = scene.place.folder / "newer.yaml"
    newer.write_text(
        "exporters: {otlp_http/jaeger: {timeout: 7s, compression: none, sending_queue: {num_consumers: 5}}}\n"
        "processors: {memory_limiter/heap: {limit_mib: 300}}\n",
        encoding="utf-8",
    )
    overlays = [word for word in scene.collector.command if word.endswith(("quiet.yaml", "overlay.yaml"))]
    renewed = servers(scene.place)["collector"]
    scene.collector.command[:] = [*renewed.command, *overlays, f"--config={newer}"]
    scene.collector.start()
    scene.behave(HEALTHY)


def disk_full(scene: Scene, seconds: float) -> None:
    """Let something else fill the queue's disk while both stores are away, and let them come back with it full."""
    scene.behave(AWAY)
    time.sleep(seconds / 4)
    ballast = scene.queue / "of-somebody-else"
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
    except OSError:
        pass
    time.sleep(seconds / 2)
    scene.behave(HEALTHY)
    time.sleep(seconds / 4)
    ballast.unlink()


def damaged(scene: Scene, seconds: float) -> None:
    """Write garbage over both queue files while the Collector is down."""
    scene.behave(AWAY)
    time.sleep(seconds)
    scene.watch.look()
    scene.collector.stop(signal.SIGKILL)
    scene.lost_in_files = scene.found()
    for path in scene.queue.iterdir():
        path.write_bytes(os.urandom(path.stat().st_size))
    scene.collector.start()
    scene.behave(HEALTHY)


def busy(scene: Scene, seconds: float) -> None:
    """Only time passes: the setting is the fault."""
    del scene
    time.sleep(seconds)


def poison(kind: type[SpanSender | MetricSender]) -> Callable[[Scene, float], None]:
    """Send, among others, a request that its store answers 503 for ever."""

    def happen(scene: Scene, seconds: float) -> None:
        for proxy in (scene.prometheus, scene.jaeger):
            proxy.poison = lambda body: _POISON.encode() in body
        for _ in range(3):
            sender = scene.add(kind, f"{_POISON}-{time.monotonic_ns()}", Load(pause_seconds=60))
            time.sleep(seconds / 3)
            sender.stop()

    return happen


def burst(scene: Scene, seconds: float) -> None:
    """Let nine more senders of each signal send what the first one does."""
    more = [
        scene.add(kind, f"{kind.path[4:]}-burst-{number}", load)
        for number in range(9)
        for kind, load in ((SpanSender, scene.setting.spans), (MetricSender, scene.setting.samples))
    ]
    time.sleep(seconds)
    for sender in more:
        sender.stop()


def clock(*shifts: float) -> Callable[[Scene, float], None]:
    """Let the clock of one more sender jump, from one of these shifts in seconds to the next."""

    def happen(scene: Scene, seconds: float) -> None:
        sender = scene.add(MetricSender, "samples-clock", Load())
        for shift in (0.0, *shifts, 0.0):
            sender.shift_seconds = shift
            time.sleep(seconds / (len(shifts) + 2))

    return happen


def refused_with(name: str) -> Callable[[Scene], bool]:
    """Tell whether senders were answered 503 and this counter shows it."""
    return lambda scene: scene.ledger.refusals.get(503, 0) > 0 and scene.watch.total(name) > 0


def said(words: str) -> Callable[[Scene], bool]:
    """Tell whether the Collector's log has these words."""
    return lambda scene: words in scene.collector.words()
