"""How many messages a user writes in an hour, as a histogram: the number of users is in it, who they are is not.

Each user's messages are counted in memory for the length of `TELEMETRY_ENGAGEMENT_WINDOW`; at its end, and when the
process stops, each count is recorded as one value of `telegram_messages_per_user` and forgotten.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from telemetry import catalog
from telemetry._guard import Guard

if TYPE_CHECKING:
    from telemetry.instruments import Instruments

__all__ = ["Engagement"]

MAX_USERS = 100_000
"""About 20 MB; further users of the same window are not in the histogram."""

_recording = Guard("record the messages of users")


class Engagement:
    """The users of one set-up who wrote in the window that runs."""

    def __init__(self, instruments: Instruments, window_seconds: float) -> None:
        """Record to `instruments` at the end of each window; a window begins with its first message."""
        self._instruments, self._window = instruments, window_seconds
        self._messages: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._begun = False
        self._timer: threading.Timer | None = None

    def note(self, user_id: str) -> None:
        """Count a message of a user."""
        with self._lock:
            if not self._begun:
                self._begin()
            if user_id in self._messages or len(self._messages) < MAX_USERS:
                self._messages[user_id] += 1

    def flush(self) -> None:
        """End the window: record and forget."""
        with self._lock:
            ended, self._messages = self._messages, Counter()
            self._begun = False
            if self._timer is not None:
                self._timer.cancel()
        with _recording:
            for messages in ended.values():
                self._instruments.record(catalog.TELEGRAM_MESSAGES_PER_USER, messages)

    def begin_again(self) -> None:
        """Forget, in a forked child, its parent's users: the parent records them."""
        self._lock = threading.Lock()
        self._messages.clear()
        self._begun, self._timer = False, None

    def _begin(self) -> None:
        self._begun = True
        self._messages.clear()
        self._timer = threading.Timer(self._window, self.flush)
        self._timer.daemon = True
        self._timer.start()
