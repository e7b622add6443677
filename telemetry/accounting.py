"""What became of all that this process made: created = sent + dropped, each by its reason, + what is still held.

Spans are counted when they end, metric points when they are exported, errors and transactions when they are handed to
Sentry's queues.
The numbers are metrics themselves (`telemetry_created_total`, `telemetry_sent_total`, `telemetry_dropped_total`) and go
on from there in the Collector's: what was sent here was received there. A process that ends says what it still held.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry import catalog
from telemetry._bounds import Bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.instruments import Instruments

__all__ = ["NETWORK", "QUEUE_FULL", "RATE_LIMITED", "REFUSED", "SHUTDOWN", "Account", "Accounts"]

QUEUE_FULL, REFUSED, RATE_LIMITED, NETWORK, SHUTDOWN = "queue_full", "refused", "rate_limited", "network", "shutdown"


class Account:
    """The items of one signal; exact under threads."""

    def __init__(self, capacity: int = 0) -> None:
        """Begin at zero; `capacity` is how many may be held, 0 where nothing waits."""
        self.capacity: int = capacity
        self.exported: Callable[[float], None] = lambda _seconds: None
        """Is told how many seconds each export took."""
        self.begin_again()

    def begin_again(self) -> None:
        """Begin at zero, as a forked child does."""
        self._lock = threading.Lock()
        self.created: int = 0
        self.sent: int = 0
        self._held = self._lately = 0
        self.dropped: Counter[str] = Counter()

    def create(self, items: int = 1) -> None:
        """Count what was made."""
        with self._lock:
            self.created += items
            self._held += items

    def admit(self) -> bool:
        """Count one that was made, and tell whether there is room for it; where there is none it is dropped."""
        with self._lock:
            self.created += 1
            if self._held < self.capacity:
                self._held += 1
                return True
            self.dropped[QUEUE_FULL] += 1
            return False

    def send(self, items: int) -> None:
        """Count what was taken by the other side."""
        with self._lock:
            self.sent += items
            self._held -= items
            self._lately = 0

    def drop(self, reason: str, items: int = 1) -> None:
        """Count what will never be sent."""
        with self._lock:
            self.dropped[reason] += items
            self._held -= items
            self._lately += items if reason == NETWORK else 0

    @property
    def held(self) -> int:
        """What is neither sent nor dropped yet."""
        with self._lock:
            return self._held

    @property
    def unsent(self) -> int:
        """What did not arrive as things stand: what is held, else what nobody took since something was last sent."""
        with self._lock:
            return self._held or self._lately


@dataclass(frozen=True)
class Accounts:
    """One account a signal."""

    spans: Account = field(default_factory=Account)
    metrics: Account = field(default_factory=Account)
    errors: Account = field(default_factory=Account)
    transactions: Account = field(default_factory=Account)
    labels: Bounds = field(default_factory=Bounds)
    """Not of items, but of the labels they came with."""

    def by_signal(self) -> dict[str, Account]:
        """Return each account by the name of its signal."""
        return {"spans": self.spans, "metrics": self.metrics, "errors": self.errors, "transactions": self.transactions}

    def begin_again(self) -> None:
        """Begin at zero, as a forked child does."""
        for account in self.by_signal().values():
            account.begin_again()
        self.labels.begin_again()

    def observe(self, instruments: Instruments) -> None:
        """Let the accounts be exported as metrics."""
        found = self.by_signal()
        reasons = catalog.TELEMETRY_DROPPED.labels[1].values
        instruments.observe(
            catalog.TELEMETRY_CREATED, lambda: [(account.created, {"signal": name}) for name, account in found.items()]
        )
        instruments.observe(
            catalog.TELEMETRY_SENT, lambda: [(account.sent, {"signal": name}) for name, account in found.items()]
        )
        instruments.observe(catalog.TELEMETRY_DROPPED, lambda: [
            (account.dropped[reason], {"signal": name, "reason": reason})
            for name, account in found.items() for reason in reasons
        ])  # fmt: skip
        instruments.observe(catalog.TELEMETRY_QUEUE_SIZE, lambda: [(self.spans.held, {"signal": "spans"})])
        instruments.observe(catalog.TELEMETRY_QUEUE_CAPACITY, lambda: [(self.spans.capacity, {"signal": "spans"})])
        instruments.observe(catalog.TELEMETRY_LABEL_OVERFLOW, lambda: [
            (count, {"metric": name}) for name, count in list(self.labels.overflows.items())
        ])  # fmt: skip
        for name in ("spans", "metrics"):
            found[name].exported = _duration(instruments, name)


def _duration(instruments: Instruments, signal: str) -> Callable[[float], None]:
    return lambda seconds: instruments.record(catalog.TELEMETRY_EXPORT_DURATION, seconds, {"signal": signal})
