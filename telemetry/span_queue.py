"""Where ended spans wait for the Collector, in bounded number, and what becomes of each is counted.

The SDK's own processor gives a batch up after one export that failed, and drops what does not fit without a number.
Here a batch that may be taken later goes back to the head of the queue, one that holds something no store can take is
divided until only that is dropped, and a full queue drops the newest, so that the traces before an outage stay whole.

https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from telemetry._clean_spans import clean_spans
from telemetry._guard import Guard
from telemetry._worker import Worker
from telemetry.accounting import QUEUE_FULL, REFUSED, SHUTDOWN
from telemetry.exporters import Outcome

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from telemetry.accounting import Account
    from telemetry.exporters import Delivery

__all__ = ["QueueOptions", "SpanQueue"]

_logger = logging.getLogger("telemetry")
_exporting = Guard("export spans")


def _number(name: str, default: int) -> int:
    return int(os.environ.get(name, "").strip() or default)


@dataclass(frozen=True)
class QueueOptions:
    """The SDK's own variables for batches."""

    size: int = 2048
    batch: int = 512
    delay_seconds: float = 5.0

    @classmethod
    def read(cls) -> QueueOptions:
        """Read `OTEL_BSP_*`; to be called where no wrong value is in the environment."""
        return cls(
            _number("OTEL_BSP_MAX_QUEUE_SIZE", cls.size),
            _number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", cls.batch),
            _number("OTEL_BSP_SCHEDULE_DELAY", 5000) / 1000,
        )


class SpanQueue(SpanProcessor):
    """Holds spans and sends them in batches from a thread of its own."""

    def __init__(self, delivery: Delivery, account: Account, options: QueueOptions | None = None) -> None:
        """Send through `delivery`; the account's capacity is the queue's."""
        self.options: QueueOptions = options or QueueOptions()
        self.delivery: Delivery = delivery
        self._account = account
        account.capacity = self.options.size
        self._begin()

    def _begin(self) -> None:
        self._held: deque[ReadableSpan] = deque()
        self._away = False
        self._worker = Worker("telemetry.spans", self.options.delay_seconds, self._send_all, at_end=self._send_all)
        self._worker.start()

    def begin_again(self) -> None:
        """Begin empty in a forked child, with a thread of its own; what is held belongs to the parent."""
        if not self._worker.stopping:
            self._begin()

    def on_end(self, span: ReadableSpan) -> None:
        """Hold a span that has ended, where it is recorded."""
        if span.context and span.context.trace_flags.sampled:
            self.hold(span)

    def hold(self, span: ReadableSpan) -> None:
        """Hold a recorded span, where there is room."""
        if self._worker.stopping:
            self._account.create()
            self._account.drop(SHUTDOWN)
        elif self._account.admit():
            self._held.append(span)
            if len(self._held) >= self.options.batch and not self._away:
                self._worker.wake()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what is held now; tells whether all of it was sent within the time."""
        return self._worker.flush(timeout_millis / 1000) and not self._held

    def shutdown(self) -> None:
        """Send what is held, as far as it is taken, and stop; waits as long as one export may take."""
        self._worker.stop()
        self._worker.join()
        self.delivery.shutdown()

    def _send_all(self) -> None:
        """Send what is held now, until something has to wait."""
        left = len(self._held)
        while left > 0:
            batch = [self._held.popleft() for _ in range(min(left, self.options.batch))]
            left -= len(batch)
            if waiting := self._send(batch):
                self._held.extendleft(reversed(waiting))
                return

    def _send(self, batch: list[ReadableSpan]) -> list[ReadableSpan]:
        """Send a batch, in halves where a part of it can't be taken; return what has to wait."""
        outcome = self._export(batch)
        if outcome is Outcome.AGAIN:
            return batch
        if outcome is Outcome.SENT:
            self._account.send(len(batch))
        elif outcome is Outcome.REFUSED or len(batch) == 1:
            self._account.drop(REFUSED, len(batch))
        else:
            half = len(batch) // 2
            waiting = self._send(batch[:half])
            return waiting + batch[half:] if waiting else self._send(batch[half:])
        return []

    def _export(self, batch: list[ReadableSpan]) -> Outcome:
        outcome, start = Outcome.DIVIDE, time.perf_counter()
        with _exporting:
            outcome = self.delivery.send(clean_spans(batch))
        self._account.exported(time.perf_counter() - start)
        self._tell(away=outcome is Outcome.AGAIN)
        return outcome

    def _tell(self, *, away: bool) -> None:
        """Say once that nobody takes the spans, and once that somebody does again."""
        endpoint = self.delivery.endpoint
        if away and not self._away:
            _logger.warning("Spans wait: %s does not take them. At most %d are kept (OTEL_BSP_MAX_QUEUE_SIZE). "
                            "To find out why: python -m telemetry doctor", endpoint, self.options.size)  # fmt: skip
        elif self._away and not away:
            _logger.warning("Spans are sent to %s again; %d have been dropped for want of room since the start.",
                            endpoint, self._account.dropped[QUEUE_FULL])  # fmt: skip
        self._away = away
