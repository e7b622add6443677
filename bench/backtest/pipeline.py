"""The Collector's own metrics: what waits, goes out, and is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.backtest.meter import Meter
from bench.backtest.traffic import TICK

if TYPE_CHECKING:
    from random import Random

    from bench.backtest.conditions import Conditions
    from bench.backtest.meter import Number

__all__ = ["REPORT", "Pipeline"]

REPORT = 5
"""Seconds between two reports; the `interval` of collector/config.yaml. Only its sign of life is written each time."""
CAPACITY = 268_435_456
"""Bytes; the `queue_size` of collector/config.yaml."""
BYTES_OF_A_SPAN = 600
POINTS_OF_A_REPORT = 700
JAEGER, LOOP = "otlp_http/jaeger", "otlp_http/loop"
EXPORTERS = ((JAEGER, "traces", "spans"), (LOOP, "metrics", "metric_points"))


class Pipeline:
    """One Collector, from its start to its end."""

    def __init__(self, generation: int, read: frozenset[str], random: Random) -> None:
        """Begin with empty queues."""
        self.alive, self.meter = (
            Meter({"job": "otelcol", "instance": f"collector-{generation}"}, read) for _ in range(2)
        )
        self.phase = random.uniform(0.5, REPORT - 0.5)
        self._random = random
        number = self.meter.of_collector
        self._cpu = self.alive.of_collector("otelcol_process_cpu_seconds_total")
        self._cpu.value = 0.2
        self._waiting: dict[str, Number] = {}
        self._sent: dict[str, Number] = {}
        self._failed: dict[str, Number] = {}
        self._refused: dict[str, Number] = {}
        for exporter, kind, items in EXPORTERS:
            size, capacity = (
                number(f"otelcol_exporter_queue_{what}", exporter=exporter, data_type=kind)
                for what in ("size", "capacity")
            )
            self._waiting[exporter], capacity.value = size, CAPACITY
            self._sent[exporter] = number(f"otelcol_exporter_sent_{items}_total", exporter=exporter)
            number(f"otelcol_exporter_enqueue_failed_{items}_total", exporter=exporter)
            self._failed[exporter] = number(
                f"otelcol_exporter_send_failed_{items}_total", known=False, exporter=exporter, error_permanent="true"
            )
            self._refused[exporter] = number(f"otelcol_receiver_refused_{items}_total", receiver="otlp/apps")

    @property
    def waits(self) -> bool:
        """Whether spans wait for a store."""
        return self._waiting[JAEGER].value > 0

    def pass_on(self, spans: int, reports: int, conditions: Conditions) -> None:
        """Take what a tick brings, and send it on where the store is there."""
        self._cpu.value = round(self._cpu.value + 0.1 + self._random.random() / 20, 4)
        self._sent[LOOP].value += reports * POINTS_OF_A_REPORT
        waiting = self._waiting[JAEGER]
        if conditions.jaeger:
            sent, waiting.value = spans + round(waiting.value / BYTES_OF_A_SPAN), round(CAPACITY * conditions.queue)
            self._sent[JAEGER].value += sent
        else:
            waiting.value += spans * BYTES_OF_A_SPAN
        self._failed[LOOP].value += round(conditions.lost * TICK)
        self._refused[JAEGER].value += round(conditions.refused * TICK)
