"""What a forked child does first: it begins anew, since all it has is a copy of what belongs to its parent.

Counts, queues, connections and locks are the parent's; of its threads none is there. The tracer provider is seen to by
the SDK, which makes the `service.instance.id` anew; exporters, queues, metrics, Sentry's transport and what we hold in
memory are seen to here. A child of `multiprocessing` does not run `atexit`: it sends what it holds
when its work is done.

https://docs.python.org/3/library/os.html#os.register_at_fork
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telemetry import _runtime
from telemetry._guard import Guard
from telemetry._meters import RenewableMeterProvider

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["survive_forks"]

_beginning = Guard("begin anew in a forked process")


def survive_forks(unlock: Callable[[], None], stop: Callable[[], object]) -> None:
    """Let every forked child begin anew: `unlock` renews its own locks, `stop` ends it. To be called once."""
    from multiprocessing import util  # noqa: PLC0415 - only where something is set up

    def begin() -> None:
        with _beginning:
            unlock()
            _begin()

    os.register_at_fork(after_in_child=begin)
    util.register_after_fork(stop, _stop_with_multiprocessing)


def _begin() -> None:
    runtime = _runtime.current()
    runtime.accounts.begin_again()
    if runtime.span_queue is not None:
        runtime.span_queue.begin_again()
    runtime.sentry.begin_again()
    runtime.in_flight.begin_again()
    runtime.engagement.begin_again()
    if isinstance(runtime.meter_provider, RenewableMeterProvider):
        runtime.meter_provider.renew()
    runtime.instruments.begin_again()


def _stop_with_multiprocessing(stop: Callable[[], object]) -> None:
    from multiprocessing import util  # noqa: PLC0415

    util.Finalize(None, stop, exitpriority=0)
