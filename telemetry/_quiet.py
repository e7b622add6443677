"""An outage of hours is a few lines in the log: each of the exporters' complaints is let through now and then."""

from __future__ import annotations

import logging
import time

__all__ = ["RARELY", "Rarely"]

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
