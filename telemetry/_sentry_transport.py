"""Errors in a queue of their own: a flood of transactions fills Sentry's queue of 100, and errors are lost in it.

What becomes of each error is accounted for.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sentry_sdk.transport import HttpTransport

from telemetry.accounting import NETWORK, QUEUE_FULL, RATE_LIMITED, REFUSED, Account

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry_sdk.envelope import Envelope

__all__ = ["ErrorsApart"]

_REASONS = {
    "full_queue": QUEUE_FULL, "network": NETWORK, "self_rate_limits": RATE_LIMITED, "status_429": RATE_LIMITED,
}  # fmt: skip
"""Sentry's words, and ours; every other one is a status that refuses."""


class ErrorsApart(HttpTransport):
    """Sends error events itself and leaves everything else to a second transport."""

    def __init__(self, options: dict[str, Any]) -> None:
        """Prepare both; each starts its thread with the first thing to be sent."""
        super().__init__(options)
        self._others = HttpTransport(options)
        self.account: Account = Account()
        self._lost = False

    def capture_envelope(self, envelope: Envelope) -> None:
        """Queue an envelope."""
        if envelope.get_event() is not None:
            self.account.create()
            super().capture_envelope(envelope)
        else:
            self._others.capture_envelope(envelope)

    def on_dropped_event(self, reason: str) -> None:
        """Account for an error that is lost."""
        self.account.drop(_REASONS.get(reason, REFUSED))
        self._lost = self._lost or reason != "full_queue"  # which the capturing thread says

    def _send_envelope(self, envelope: Envelope) -> None:
        """Send, in the transport's own thread; what was not lost in it was taken."""
        self._lost = False
        error = envelope.get_event() is not None
        try:
            super()._send_envelope(envelope)
        except Exception:
            if error and not self._lost:
                self.account.drop(REFUSED)
            raise
        if error and not self._lost:
            self.account.send(1)

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
