"""Work that has begun and not ended: how much, of which kind, and since when, without waiting for a span's end.

A stuck handler or agent run is seen in `work_oldest_age_seconds` at the next export. What runs longer than
`TELEMETRY_START_RECORD_AFTER` also leaves a start record in its trace: a span of no length that is exported while the
work goes on, and stays where the process is killed before any of the work's own spans end.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context

from telemetry import catalog
from telemetry._current_span import current_span
from telemetry._guard import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.trace import Tracer

    from telemetry.instruments import Instruments

__all__ = ["InFlight"]

Reading = tuple[float, dict[str, str]]
_recording = Guard("leave a start record")
_TICKS = 5
"""How often, within the time after which a start record is due, the watcher looks."""


@dataclass
class Item:
    """One piece of work: what it is, the span it runs in, and since when (seconds, monotonic; nanoseconds, Unix)."""

    kind: str
    name: str
    span: trace.Span
    since: float = field(default_factory=time.monotonic)
    started_at: int = field(default_factory=time.time_ns)
    recorded: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What it is counted under."""
        return self.kind, self.name


class InFlight:
    """The work of one set-up."""

    def __init__(self) -> None:
        """Nothing is under way; without `watch` nothing leaves a start record."""
        self._numbers = itertools.count()
        self._items: dict[int, Item] = {}
        self._known: set[tuple[str, str]] = set()
        self._tracer: Tracer | None = None
        self._after = 0.0
        self._watched_by = 0
        self._stopped = threading.Event()

    def observe(self, instruments: Instruments) -> None:
        """Let count and age be exported."""
        instruments.observe(catalog.WORK_IN_FLIGHT, self._counts)
        instruments.observe(catalog.WORK_OLDEST_AGE, self._ages)

    def watch(self, tracer: Tracer, after: float) -> None:
        """Let work that has run for `after` seconds leave a start record by `tracer`."""
        self._tracer, self._after = tracer, after

    def stop(self) -> None:
        """Leave no more start records."""
        self._tracer = None
        self._stopped.set()

    def begin_again(self) -> None:
        """Forget, in a forked child, what is under way in its parent."""
        self._items.clear()
        self._known.clear()
        self._stopped = threading.Event()

    @contextmanager
    def track(self, kind: str, name: str) -> Iterator[None]:
        """Count the body as under way; `kind` is handler, job or agent, `name` which one."""
        number, item = next(self._numbers), Item(kind, name, current_span() or trace.INVALID_SPAN)
        self._known.add(item.key)
        self._items[number] = item
        self._ensure_watcher()
        try:
            yield
        finally:
            self._items.pop(number, None)  # a forked child has forgotten it

    def _ensure_watcher(self) -> None:
        """Start the watching thread with the first work of a process; a forked child starts its own."""
        if self._tracer is None or self._watched_by == os.getpid():
            return
        self._watched_by = os.getpid()
        threading.Thread(target=self._watch, name="telemetry.in_flight", daemon=True).start()

    def _watch(self) -> None:
        while not self._stopped.wait(self._after / _TICKS):
            with _recording:
                self._leave_start_records()

    def _leave_start_records(self) -> None:
        due = time.monotonic() - self._after
        for item in [item for item in list(self._items.values()) if item.since <= due and not item.recorded]:
            item.recorded = True
            if self._tracer is not None and item.span.is_recording():
                context = trace.set_span_in_context(item.span, Context())
                attributes = {"work.kind": item.kind, "work.name": item.name} | _inherited(item.span)
                record = self._tracer.start_span(
                    f"{item.name} started", context, attributes=attributes, start_time=item.started_at
                )
                record.end(item.started_at)

    def _counts(self) -> list[Reading]:
        counts = dict.fromkeys(self._known, 0)
        for item in list(self._items.values()):
            counts[item.key] += 1
        return [(count, _labels(key)) for key, count in counts.items()]

    def _ages(self) -> list[Reading]:
        now = time.monotonic()
        ages = dict.fromkeys(self._known, 0.0)
        for item in list(self._items.values()):
            ages[item.key] = max(ages[item.key], now - item.since)
        return [(age, _labels(key)) for key, age in ages.items()]


def _inherited(span: trace.Span) -> dict[str, Any]:
    """Return whose work it is: the watcher's thread has no context to take that from."""
    attributes = getattr(span, "attributes", None) or {}
    return {key: attributes[key] for key in ("gen_ai.conversation.id", "user.id") if key in attributes}


def _labels(key: tuple[str, str]) -> dict[str, str]:
    return {"kind": key[0], "name": key[1]}
