"""A thread that sends what has gathered: so often, sooner when there is enough, at once for who waits for it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Worker"]


class Worker:
    """Does some work in a daemon thread of its own; a forked child, which has no such thread, makes another worker."""

    def __init__(self, name: str, delay_seconds: float, work: Callable[[], None], at_end: Callable[[], None]) -> None:
        """Have `work` done every `delay_seconds`, and `at_end` once after that; both see to their own failures."""
        self._name, self._delay_seconds, self._work, self._at_end = name, delay_seconds, work, at_end
        self._awake = threading.Event()
        self._waiting: deque[threading.Event] = deque()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self.stopping: bool = False

    def start(self) -> None:
        """Begin; a second time nothing happens."""
        if self._thread is not None:
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Have the work done now."""
        self._awake.set()

    def flush(self, seconds: float) -> bool:
        """Have the work done once from now on; tells whether it was within the time, or there was none to do."""
        if self._thread is None or self.stopping:
            return True
        done = threading.Event()
        self._waiting.append(done)
        self.wake()
        return done.wait(seconds)

    def stop(self) -> None:
        """Let it end after the work at hand."""
        self.stopping = True
        self.wake()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self.stopping:
            self._awake.wait(self._delay_seconds)
            self._awake.clear()
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            self._work()
            for done in waiting:
                done.set()
        self._at_end()
