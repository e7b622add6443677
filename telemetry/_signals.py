"""SIGTERM where nobody handles it: what is held is sent first, then the process ends by the signal as it would have.

Python ends at SIGTERM without running anything, `atexit` included, and uvicorn raises the signal once more when it has
stopped, for whoever was there before it. A handler of the application's own, set before or after, stays in force.

The first process of a container does not end by a signal that it does not handle: the kernel drops it. That stays so:
what is held is sent, and the process goes on until its runtime kills it.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["stop_at_sigterm"]

_FIRST = 1
"""The process id of a container's first process."""


def stop_at_sigterm(stop: Callable[[], object], flush: Callable[[], object], seconds: float) -> None:
    """Call `stop` at SIGTERM, for `seconds` at most, unless the signal has a handler or this is not the main thread.

    The first process of a container calls `flush`.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return

    def stop_and_end(number: int, _frame: FrameType | None) -> None:
        # In a thread: the main thread may hold, right now, a lock that stopping needs.
        goes_on = os.getpid() == _FIRST
        stopping = threading.Thread(target=flush if goes_on else stop, name="telemetry.sigterm", daemon=True)
        stopping.start()
        stopping.join(seconds)
        if goes_on:
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    signal.signal(signal.SIGTERM, stop_and_end)
