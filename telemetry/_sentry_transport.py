"""Errors in a queue of their own: a flood of transactions fills Sentry's queue of 100, and errors are lost in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sentry_sdk.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry_sdk.envelope import Envelope

__all__ = ["ErrorsApart"]


class ErrorsApart(HttpTransport):
    """Sends error events itself and leaves everything else to a second transport."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Prepare both; each starts its thread with the first thing to be sent."""
        super().__init__(options)
        self._others = HttpTransport(options)

    def capture_envelope(self, envelope: Envelope) -> None:
        """Queue an envelope."""
        if envelope.get_event() is not None:
            super().capture_envelope(envelope)
        else:
            self._others.capture_envelope(envelope)

    def is_healthy(self) -> bool:
        """Tell whether there is room for more; where not, the SDK samples less."""
        return super().is_healthy() and self._others.is_healthy()

    def flush(self, timeout: float, callback: Callable[[int, float], None] | None = None) -> None:
        """Wait until both have sent what they hold, errors first, for `timeout` seconds in all."""
        end = time.monotonic() + timeout
        super().flush(timeout, callback)
        self._others.flush(end - time.monotonic(), callback)

    def kill(self) -> None:
        """Stop both at once."""
        super().kill()
        self._others.kill()
