"""A fault of hours is a few lines in the log: each complaint of the SDK and its exporters is let through rarely."""

from __future__ import annotations

import logging
import time

__all__ = ["RARELY", "Rarely", "say_rarely"]

_EVERY_SECONDS = 600.0


class Rarely(logging.Filter):
    """Lets each text through once in ten minutes, whatever its arguments."""

    def __init__(self) -> None:
        """Remember none yet."""
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record goes on."""
        text, now = str(record.msg), time.monotonic()
        if now - self._last.get(text, float("-inf")) < _EVERY_SECONDS:
            return False
        self._last[text] = now
        return True


RARELY = Rarely()
"""For every logger of an exporter; added twice it filters once."""
_AT_EACH_CALL = ("opentelemetry.attributes", "opentelemetry.sdk.metrics._internal.instrument")
"""These complain at each attribute that is too long, and at each export of a callback that fails."""


def say_rarely() -> None:
    """Filter the SDK's loggers that would say the same without end."""
    for name in _AT_EACH_CALL:
        logging.getLogger(name).addFilter(RARELY)
