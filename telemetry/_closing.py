"""The end: send what is held within one budget of seconds over all signals, whoever ends the process and how often.

A server's lifespan, a signal and `atexit` may each want to send what is left. What the first of them used up the next
one has no more, so that they take one budget together and not one each.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import TracerProvider

from telemetry import _guard
from telemetry._meters import RenewableMeterProvider
from telemetry.exporters import listens

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry._runtime import Runtime
    from telemetry.settings import Settings

    Closers = dict[str, tuple[Callable[[], object], float]]

__all__ = ["DEFAULT_TIMEOUT_SECONDS", "close", "flush", "in_thread"]

DEFAULT_TIMEOUT_SECONDS = 3.0
UNREACHABLE_SECONDS = 1.0
"""Enough for one more attempt, should the Collector be restarting."""

_LEAST_SECONDS = 0.1
_SAME_END_SECONDS = 10.0
"""What ends so soon after a flush is the same end."""

_stopping = _guard.Guard("stop an exporter")


class _Spent:
    """What the last flush took of the budget, and when it was over."""

    seconds = 0.0
    until = float("-inf")

    @classmethod
    def left_of(cls, seconds: float) -> float:
        if time.monotonic() - cls.until > _SAME_END_SECONDS:
            return seconds
        return max(_LEAST_SECONDS, seconds - cls.seconds)


def flush(runtime: Runtime, timeout: float = DEFAULT_TIMEOUT_SECONDS) -> list[str]:
    """Send what is held, in `timeout` seconds at most; everything goes on. Returns what was not, as `12 spans`."""
    start = time.monotonic()
    runtime.engagement.flush()
    unsent = _unsent(runtime, _run_all(_closers(runtime, timeout, stop=False)))
    _Spent.until = time.monotonic()
    _Spent.seconds = _Spent.until - start
    return unsent


def close(runtime: Runtime, timeout: float) -> list[str]:
    """Send what is held and stop, in `timeout` seconds less what a flush just used; returns what was not sent."""
    timeout = _Spent.left_of(timeout)
    return _unsent(runtime, _run_all(_closers(runtime, timeout, stop=True)))


def _unsent(runtime: Runtime, late: set[str]) -> list[str]:
    """Return what was not sent, in words, as `12 spans`; without a number where nobody knows it."""
    words = {"spans": "span", "metrics": "metric point", "errors": "error", "transactions": "transaction"}
    counts = {name: account.unsent for name, account in runtime.accounts.by_signal().items()}
    return [
        f"{count} {words[name]}{'s' * (count != 1)}" if count else name
        for name, count in counts.items()
        if count or name in late
    ]


def _closers(runtime: Runtime, timeout: float, *, stop: bool) -> Closers:
    """Return what sends each signal, metrics last, and the seconds it may take; with `stop` it ends by that."""
    sentry = runtime.sentry
    closers: Closers = {"errors": (lambda: sentry.close(timeout) if stop else sentry.flush(timeout), timeout)}
    if isinstance(traces := runtime.tracer_provider, TracerProvider):
        send: Callable[[], object] = traces.shutdown if stop else traces.force_flush
        closers["spans"] = (send, _patience(runtime.settings, "traces", timeout))
    if isinstance(meters := runtime.meter_provider, RenewableMeterProvider):
        collect: Callable[[float], object] = meters.shutdown if stop else meters.force_flush
        closers["metrics"] = (lambda: collect(timeout * 1000), _patience(runtime.settings, "metrics", timeout))
    return closers


async def in_thread(work: Callable[[], object]) -> None:
    """Run `work` in a thread of its own: the event loop goes on, and no full pool of threads holds it up."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        with _stopping:
            work()
        loop.call_soon_threadsafe(done.set)

    with _stopping:  # no thread may be to be had
        threading.Thread(target=run, name="telemetry.closing", daemon=True).start()
        await done.wait()


def _patience(settings: Settings, signal: str, timeout: float) -> float:
    """Return the seconds a signal may take: little where nothing listens, `timeout` where it is only slow."""
    if listens(settings.endpoint(signal)):
        return timeout
    return min(timeout, _Spent.left_of(UNREACHABLE_SECONDS))


def _run_all(closers: Closers) -> set[str]:
    """Run all at once, each in a daemon thread; return the names of those not done within their own seconds.

    Metrics wait for the others, half of their seconds at most: they tell what became of all that was sent, and nobody
    corrects the last number of a process.
    """
    start = time.monotonic()
    threads: dict[str, threading.Thread] = {}
    for name, (close, seconds) in closers.items():
        first = list(threads.values()) if name == "metrics" else []
        threads[name] = threading.Thread(target=_after, args=(first, seconds / 2, close), daemon=True)
    for thread in threads.values():
        with _stopping:
            thread.start()
    for name, thread in threads.items():
        if thread.ident:
            thread.join(max(0.0, start + closers[name][1] - time.monotonic()))
    return {name for name, thread in threads.items() if thread.is_alive() or not thread.ident}


def _after(first: list[threading.Thread], seconds: float, close: Callable[[], object]) -> None:
    end = time.monotonic() + seconds
    with _stopping:
        for thread in first:
            if thread.ident:
                thread.join(max(0.0, end - time.monotonic()))
        close()
