"""A clock that stands still until it is moved, for the times of spans and the durations in metrics."""

from __future__ import annotations

import sys
import time
from typing import Any, Self

import opentelemetry.sdk.trace

__all__ = ["FakeClock"]

_NANOSECONDS = 1_000_000_000
_START = 1_767_225_600 * _NANOSECONDS
"""2026-01-01T00:00:00Z."""


class FakeClock:
    """Tells the time to this package and to the OpenTelemetry SDK, in the whole process, from `install` to `close`.

    The application, its threads and its event loop keep the real time.
    """

    def __init__(self) -> None:
        """Stand at the beginning of 2026, UTC."""
        self._now = _START
        self._undo: list[tuple[Any, str, object]] = []

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass at once; raises `ValueError` for a negative number."""
        if seconds < 0:
            raise ValueError(f"seconds must not be negative (got {seconds})")
        self._now += round(seconds * _NANOSECONDS)

    def time_ns(self) -> int:
        """Return the time in nanoseconds since 1970, UTC."""
        return self._now

    def time(self) -> float:
        """Return the time in seconds since 1970, UTC."""
        return self._now / _NANOSECONDS

    def perf_counter(self) -> float:
        """Return seconds since the clock's start, for measuring how long something took."""
        return (self._now - _START) / _NANOSECONDS

    monotonic = perf_counter

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else the module `time` has
        return getattr(time, name)

    def install(self) -> Self:
        """Be the clock from now on."""
        ours = [module for name, module in list(sys.modules.items()) if name.startswith("telemetry.")]
        for module in ours:
            if getattr(module, "time", None) is time:
                self._replace(module, "time", self)
        self._replace(opentelemetry.sdk.trace, "time_ns", self.time_ns)
        return self

    def _replace(self, owner: object, name: str, replacement: object) -> None:
        self._undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, replacement)

    def close(self) -> None:
        """Give back the real time; may be called twice."""
        while self._undo:
            owner, name, original = self._undo.pop()
            setattr(owner, name, original)
