"""Work that has begun and not ended: how much, of which kind, and since when, without waiting for a span's end.

A stuck handler or agent run is seen in `work_oldest_age_seconds` at the next export, not when it ends (if ever).
"""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from telemetry import catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.instruments import Instruments

__all__ = ["InFlight"]

Reading = tuple[float, dict[str, str]]


class InFlight:
    """The work of one set-up."""

    def __init__(self) -> None:
        """Nothing is under way."""
        self._numbers = itertools.count()
        self._since: dict[int, tuple[tuple[str, str], float]] = {}
        self._known: set[tuple[str, str]] = set()

    def observe(self, instruments: Instruments) -> None:
        """Let count and age be exported."""
        instruments.observe(catalog.WORK_IN_FLIGHT, self._counts)
        instruments.observe(catalog.WORK_OLDEST_AGE, self._ages)

    @contextmanager
    def track(self, kind: str, name: str) -> Iterator[None]:
        """Count the body as under way; `kind` is handler, job or agent, `name` which one."""
        number, key = next(self._numbers), (kind, name)
        self._known.add(key)
        self._since[number] = (key, time.monotonic())
        try:
            yield
        finally:
            del self._since[number]

    def _counts(self) -> list[Reading]:
        counts = dict.fromkeys(self._known, 0)
        for key, _ in list(self._since.values()):
            counts[key] += 1
        return [(count, _labels(key)) for key, count in counts.items()]

    def _ages(self) -> list[Reading]:
        now = time.monotonic()
        ages = dict.fromkeys(self._known, 0.0)
        for key, since in list(self._since.values()):
            ages[key] = max(ages[key], now - since)
        return [(age, _labels(key)) for key, age in ages.items()]


def _labels(key: tuple[str, str]) -> dict[str, str]:
    return {"kind": key[0], "name": key[1]}
