"""SIGTERM where nobody handles it: what is held is sent first, then the process ends by the signal as it would have.

Python ends at SIGTERM without running anything, `atexit` included, and uvicorn raises the signal once more when it has
stopped, for whoever was there before it. A handler of the application's own, set before or after, stays in force.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

__all__ = ["stop_at_sigterm"]


def stop_at_sigterm(stop: Callable[[], object], seconds: float) -> None:
    """Call `stop` at SIGTERM, for `seconds` at most, unless the signal has a handler or this is not the main thread."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return

    def stop_and_end(number: int, _frame: FrameType | None) -> None:
        # In a thread: the main thread may hold, right now, a lock that stopping needs.
        stopping = threading.Thread(target=stop, name="telemetry.sigterm", daemon=True)
        stopping.start()
        stopping.join(seconds)
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    signal.signal(signal.SIGTERM, stop_and_end)
