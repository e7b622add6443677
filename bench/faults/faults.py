"""The faults, one a row: what happens for how long, which reasons for a loss it leaves, and what must be seen of it."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.faults.account import DAMAGED, GIVEN_UP, REFUSED
from bench.faults.happenings import (
    AWAY,
    another_configuration,
    answers,
    away,
    both_away,
    burst,
    busy,
    clock,
    damaged,
    disk_full,
    frozen,
    killed_often,
    poison,
    refused_with,
    restarted,
    said,
)
from bench.faults.proxy import Behaviour
from bench.faults.scene import Setting
from bench.faults.senders import Load, MetricSender, SpanSender
from bench.faults.servers import JAEGER, PROMETHEUS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.faults.scene import Scene

__all__ = ["FAULTS", "WITHOUT_STORAGE", "Fault"]


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
            ("stopped", away(store, signal.SIGTERM)),
            ("killed", away(store, signal.SIGKILL)),
            ("frozen", frozen(store)),
            *((text, answers(store, behaviour)) for text, behaviour in _ANSWERS),
        )
    ),
    Fault("Prometheus answers 500", answers(PROMETHEUS, Behaviour(status=500)), SAMPLES),
    Fault("Prometheus answers 400", answers(PROMETHEUS, Behaviour(status=400)), SAMPLES, frozenset({REFUSED})),
    # By OTLP's specification a request that was answered 500 must not be sent again.
    Fault("Jaeger answers 500", answers(JAEGER, Behaviour(status=500)), SPANS, frozenset({REFUSED})),
    Fault("Jaeger answers 400", answers(JAEGER, Behaviour(status=400)), SPANS, frozenset({REFUSED})),
    Fault("both stores away", both_away, BOTH),
    Fault("Collector stopped, stores away", restarted(signal.SIGTERM), BOTH),
    Fault("Collector killed, stores away", restarted(signal.SIGKILL), BOTH),
    Fault("Collector killed five times", killed_often, BOTH),
    Fault("Collector frozen", frozen("collector"), BOTH),
    Fault("Collector renewed, full queue", another_configuration, BOTH),
    Fault(
        "disk full", disk_full, BOTH, setting=Setting({"COLLECTOR_QUEUE_BYTES": "4000000"}, disk="24m"),
    ),
    Fault("queue files damaged", damaged, BOTH, frozenset({DAMAGED}), seen=said("is damaged")),
    Fault(
        "queue full", both_away, BOTH, setting=Setting({"COLLECTOR_QUEUE_BYTES": "50000"}),
        seen=refused_with("otelcol_exporter_enqueue_failed_spans"),
    ),
    Fault(
        "memory limit reached", busy, BOTH,
        setting=Setting({"COLLECTOR_MEMORY_MIB": "36", "COLLECTOR_SPIKE_MIB": "12"}, spans=_BIG, senders=4),
        seen=refused_with("otelcol_receiver_refused_spans"),
    ),
    Fault(
        "spans no store takes", poison(SpanSender), BOTH, frozenset({GIVEN_UP}),
        Setting({"COLLECTOR_GIVE_UP_AFTER": "4s"}),
    ),
    Fault(
        "samples no store takes", poison(MetricSender), BOTH, frozenset({GIVEN_UP}),
        Setting({"COLLECTOR_GIVE_UP_AFTER": "4s"}),
    ),
    Fault("ten times the load", burst, BOTH, setting=Setting(spans=Load(items=100), samples=Load(items=100))),
    # More than Jaeger can index: answered 503 for ever, until the Collector cut it off.
    Fault("attributes of 100 KB", busy, BOTH, setting=Setting(spans=Load(items=2, filler_bytes=100_000))),
    Fault("clock 5 min off, to and fro", clock(300, -300), BOTH),
    Fault("clock an hour ahead", clock(3600), BOTH, frozenset({REFUSED})),
    Fault("clock 3 hours behind", clock(-10_800), BOTH, frozenset({REFUSED})),
)  # fmt: skip

_IN_MEMORY = {name: {"sending_queue": {"storage": None}} for name in ("otlp_http/jaeger", "otlp_http/loop")}
WITHOUT_STORAGE = Fault(
    "no storage, Collector killed", restarted(signal.SIGKILL), BOTH, setting=Setting(overlay={"exporters": _IN_MEMORY})
)
"""Loses data, so that the harness shows that it would see it."""
