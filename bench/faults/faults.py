"""The faults, one a row: what happens for how long, which reasons for a loss it leaves, and what must be seen of it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.faults.account import DAMAGED, GIVEN_UP, REFUSED
from bench.faults.proxy import HEALTHY, Behaviour
from bench.faults.scene import Setting
from bench.faults.senders import Load, MetricSender, SpanSender
from bench.faults.servers import JAEGER, PROMETHEUS, servers

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.faults.proxy import Proxy
    from bench.faults.scene import Scene

__all__ = ["FAULTS", "WITHOUT_STORAGE", "Fault"]

AWAY = Behaviour(status=503)
_POISON = "qzxjkvw"
"""In a name, it makes a request one that the store never takes."""


@dataclass(frozen=True)
class Fault:
    """One fault; `happen` makes it, waits for the given seconds, and ends it."""

    name: str
    happen: Callable[[Scene, float], None]
    hits: frozenset[str] = frozenset()
    """The signals whose store is at fault; the others must arrive as if nothing were."""
    drops: frozenset[str] = frozenset()
    """The reasons that must show in the account."""
    setting: Setting = field(default_factory=Setting)
    seen: Callable[[Scene], bool] = lambda _scene: True
    """What else must be visible of it."""


def _answers(store: str, behaviour: Behaviour) -> Callable[[Scene, float], None]:
    def happen(scene: Scene, seconds: float) -> None:
        proxy: Proxy = getattr(scene, store)
        proxy.behave(behaviour)
        time.sleep(seconds)
        proxy.behave(HEALTHY)

    return happen


def _away(store: str, how: signal.Signals) -> Callable[[Scene, float], None]:
    def happen(scene: Scene, seconds: float) -> None:
        scene.servers[store].stop(how)
        time.sleep(seconds)
        scene.servers[store].start()

    return happen


def _frozen(name: str) -> Callable[[Scene, float], None]:
    def happen(scene: Scene, seconds: float) -> None:
        scene.servers[name].signal(signal.SIGSTOP)
        time.sleep(seconds)
        scene.servers[name].signal(signal.SIGCONT)

    return happen


def _both_away(scene: Scene, seconds: float) -> None:
    scene.behave(AWAY)
    time.sleep(seconds)
    scene.behave(HEALTHY)


def _restarted(how: signal.Signals) -> Callable[[Scene, float], None]:
    """Restart the Collector while both stores are away."""

    def happen(scene: Scene, seconds: float) -> None:
        scene.behave(AWAY)
        time.sleep(seconds / 2)
        scene.watch.look()
        scene.collector.restart(how)
        time.sleep(seconds / 2)
        scene.behave(HEALTHY)

    return happen


def _killed_often(scene: Scene, seconds: float) -> None:
    for _ in range(5):
        time.sleep(seconds / 5)
        scene.collector.restart(signal.SIGKILL)


def _another_configuration(scene: Scene, seconds: float) -> None:
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


def _disk_full(scene: Scene, seconds: float) -> None:
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


def _damaged(scene: Scene, seconds: float) -> None:
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


def _busy(scene: Scene, seconds: float) -> None:
    """Only time passes: the setting is the fault."""
    del scene
    time.sleep(seconds)


def _poison(kind: type[SpanSender | MetricSender]) -> Callable[[Scene, float], None]:
    """Send, among others, a request that its store answers 503 for ever."""

    def happen(scene: Scene, seconds: float) -> None:
        for proxy in (scene.prometheus, scene.jaeger):
            proxy.poison = lambda body: _POISON.encode() in body
        for _ in range(3):
            sender = scene.add(kind, f"{_POISON}-{time.monotonic_ns()}", Load(pause_seconds=60))
            time.sleep(seconds / 3)
            sender.stop()

    return happen


def _burst(scene: Scene, seconds: float) -> None:
    """Let nine more senders of each signal send what the first one does."""
    more = [
        scene.add(kind, f"{kind.path[4:]}-burst-{number}", load)
        for number in range(9)
        for kind, load in ((SpanSender, scene.setting.spans), (MetricSender, scene.setting.samples))
    ]
    time.sleep(seconds)
    for sender in more:
        sender.stop()


def _clock(*shifts: float) -> Callable[[Scene, float], None]:
    """Let the clock of one more sender jump, from one of these shifts in seconds to the next."""

    def happen(scene: Scene, seconds: float) -> None:
        sender = scene.add(MetricSender, "samples-clock", Load())
        for shift in (0.0, *shifts, 0.0):
            sender.shift_seconds = shift
            time.sleep(seconds / (len(shifts) + 2))

    return happen


def _refused_with(name: str) -> Callable[[Scene], bool]:
    return lambda scene: scene.ledger.refusals.get(503, 0) > 0 and scene.watch.total(name) > 0


def _said(words: str) -> Callable[[Scene], bool]:
    return lambda scene: words in scene.collector.words()


SAMPLES, SPANS, BOTH = frozenset({"samples"}), frozenset({"spans"}), frozenset({"samples", "spans"})
_STORES = (("Prometheus", PROMETHEUS, SAMPLES), ("Jaeger", JAEGER, SPANS))
_ANSWERS = (
    ("is slow (1 s)", Behaviour(delay_seconds=1.0)),
    ("hangs", Behaviour(hangs=True)),
    ("answers 429, Retry-After 2", Behaviour(status=429, retry_after=2)),
    ("answers 503", AWAY),
    ("loses its answers", Behaviour(loses_answer=True)),
)
_BIG = Load(items=20, filler_bytes=20_000, pause_seconds=0.0)

FAULTS = (
    *(
        Fault(f"{title} {words}", happen, hits)
        for title, store, hits in _STORES
        for words, happen in (
            ("stopped", _away(store, signal.SIGTERM)),
            ("killed", _away(store, signal.SIGKILL)),
            ("frozen", _frozen(store)),
            *((text, _answers(store, behaviour)) for text, behaviour in _ANSWERS),
        )
    ),
    Fault("Prometheus answers 500", _answers(PROMETHEUS, Behaviour(status=500)), SAMPLES),
    Fault("Prometheus answers 400", _answers(PROMETHEUS, Behaviour(status=400)), SAMPLES, frozenset({REFUSED})),
    # By OTLP's specification a request that was answered 500 must not be sent again.
    Fault("Jaeger answers 500", _answers(JAEGER, Behaviour(status=500)), SPANS, frozenset({REFUSED})),
    Fault("Jaeger answers 400", _answers(JAEGER, Behaviour(status=400)), SPANS, frozenset({REFUSED})),
    Fault("both stores away", _both_away, BOTH),
    Fault("Collector stopped, stores away", _restarted(signal.SIGTERM), BOTH),
    Fault("Collector killed, stores away", _restarted(signal.SIGKILL), BOTH),
    Fault("Collector killed five times", _killed_often, BOTH),
    Fault("Collector frozen", _frozen("collector"), BOTH),
    Fault("Collector renewed, full queue", _another_configuration, BOTH),
    Fault(
        "disk full", _disk_full, BOTH, setting=Setting({"COLLECTOR_QUEUE_BYTES": "4000000"}, disk="24m"),
    ),
    Fault("queue files damaged", _damaged, BOTH, frozenset({DAMAGED}), seen=_said("is damaged")),
    Fault(
        "queue full", _both_away, BOTH, setting=Setting({"COLLECTOR_QUEUE_BYTES": "50000"}),
        seen=_refused_with("otelcol_exporter_enqueue_failed_spans"),
    ),
    Fault(
        "memory limit reached", _busy, BOTH,
        setting=Setting({"COLLECTOR_MEMORY_MIB": "36", "COLLECTOR_SPIKE_MIB": "12"}, spans=_BIG, senders=4),
        seen=_refused_with("otelcol_receiver_refused_spans"),
    ),
    Fault(
        "spans no store takes", _poison(SpanSender), BOTH, frozenset({GIVEN_UP}),
        Setting({"COLLECTOR_GIVE_UP_AFTER": "4s"}),
    ),
    Fault(
        "samples no store takes", _poison(MetricSender), BOTH, frozenset({GIVEN_UP}),
        Setting({"COLLECTOR_GIVE_UP_AFTER": "4s"}),
    ),
    Fault("ten times the load", _burst, BOTH, setting=Setting(spans=Load(items=100), samples=Load(items=100))),
    # More than Jaeger can index: answered 503 for ever, until the Collector cut it off.
    Fault("attributes of 100 KB", _busy, BOTH, setting=Setting(spans=Load(items=2, filler_bytes=100_000))),
    Fault("clock 5 min off, to and fro", _clock(300, -300), BOTH),
    Fault("clock an hour ahead", _clock(3600), BOTH, frozenset({REFUSED})),
    Fault("clock 3 hours behind", _clock(-10_800), BOTH, frozenset({REFUSED})),
)  # fmt: skip

_IN_MEMORY = {name: {"sending_queue": {"storage": None}} for name in ("otlp_http/jaeger", "otlp_http/loop")}
WITHOUT_STORAGE = Fault(
    "no storage, Collector killed", _restarted(signal.SIGKILL), BOTH, setting=Setting(overlay={"exporters": _IN_MEMORY})
)
"""Loses data, so that the harness shows that it would see it."""
