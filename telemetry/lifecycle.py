"""`init` and `shutdown`: from the environment to a running set-up, and out of it within a deadline."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from telemetry import _guard, _runtime, providers, standard
from telemetry._parse import address
from telemetry.context import report_logged, report_unhandled
from telemetry.instruments import Instruments
from telemetry.logs import correlate_logs
from telemetry.process import observe_process
from telemetry.propagation import TrustedPropagator
from telemetry.sentry import Sentry
from telemetry.settings import Settings
from telemetry.switches import Switches, watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Tracer

__all__ = ["get_meter", "get_tracer", "init", "shutdown"]

DEFAULT_TIMEOUT_SECONDS = 3.0
UNREACHABLE_SECONDS = 1.0
"""Enough for one more attempt, should the Collector be restarting."""

_PROBE_SECONDS = 0.25

_logger = logging.getLogger("telemetry")
_lock = threading.Lock()
_started = False


def init(*, strict: bool = False) -> None:
    """Read the environment and start traces, metrics and Sentry as it asks; call it once, before anything else.

    A second call changes nothing. A wrong setting is logged and its default used; with `strict` it raises
    `SettingError`, and any later failure of ours raises too (meant for tests). Nothing here waits on the network.
    """
    global _started  # noqa: PLW0603 - one set-up a process
    with _lock:
        if _started:
            return
        settings = _settings(strict=strict)
        _guard.set_strict(strict)
        _runtime.install(_build(settings))
        _started = True
        atexit.register(shutdown)


def shutdown(timeout: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
    """Send what is queued and stop, in `timeout` seconds at most; tells whether all was sent in time.

    Where nothing listens at the Collector's address, waiting helps nobody, and one second is all it takes. May be
    called twice, and without `init`. What could not be sent is said in one log line.
    """
    global _started  # noqa: PLW0603 - see init
    with _lock:
        if not _started:
            return True
        _started = False
        atexit.unregister(shutdown)
        runtime = _runtime.current()
        _runtime.install(_runtime.Runtime(settings=runtime.settings))
    runtime.stop()
    start = time.monotonic()
    late = _run_all(_closers(runtime, timeout))
    if late:
        seconds = time.monotonic() - start
        _logger.warning("telemetry stopped after %.1f s without having sent all %s", seconds, " and ".join(late))
    return not late


def _patience(settings: Settings, signal: str, timeout: float) -> float:
    """Return the seconds a signal may take: little where nothing listens, `timeout` where it is only slow."""
    return timeout if _listens(providers.address_of(settings, signal)) else min(timeout, UNREACHABLE_SECONDS)


def _listens(endpoint: str) -> bool:
    """Tell whether anything accepts a connection there, in a quarter of a second."""
    try:
        socket.create_connection(address(endpoint), _PROBE_SECONDS).close()
    except OSError:
        return False
    return True


def get_tracer() -> Tracer:
    """Return the tracer for spans of the application's own."""
    return _runtime.current().tracer


def get_meter() -> Meter:
    """Return a meter; what it records is dropped unless the catalog has the metric's name."""
    return _runtime.current().meter_provider.get_meter(_runtime.NAME)


def _settings(*, strict: bool) -> Settings:
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    settings, errors = Settings.read()
    errors += standard.wrong(os.environ)
    if errors and strict:
        raise errors[0]
    for error in errors:
        _logger.error("%s", error)
    for line in standard.ignored(os.environ):
        _logger.warning("%s", line)
    return settings


def _build(settings: Settings) -> _runtime.Runtime:
    resource, switches = providers.resource(settings), Switches()
    sentry = Sentry.start(settings, switches)
    sentry.watch_unhandled(report_unhandled, report_logged)
    set_global_textmap(TrustedPropagator())
    tracing, meters = _tracing(settings, resource, sentry, switches), _metering(settings, resource)
    instruments = Instruments(meters.get_meter(_runtime.NAME), switches)
    observe_process(instruments)
    logs = correlate_logs(settings.service_name)
    return _runtime.Runtime(
        settings, tracing, meters, instruments, sentry, logs=logs, switches=switches, watching=watch(settings, switches)
    )


def _tracing(settings: Settings, resource: Resource, sentry: Sentry, switches: Switches) -> trace.TracerProvider:
    if settings.sdk_disabled or not settings.enable_tracing:
        return trace.NoOpTracerProvider()
    provider = providers.tracer_provider(settings, resource, switches=switches)
    for processor in sentry.span_processors():
        provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    return provider


def _metering(settings: Settings, resource: Resource) -> metrics.MeterProvider:
    if settings.sdk_disabled or not settings.enable_metrics:
        return metrics.NoOpMeterProvider()
    provider = providers.meter_provider(settings, resource)
    metrics.set_meter_provider(provider)
    return provider


def _closers(runtime: _runtime.Runtime, timeout: float) -> dict[str, tuple[Callable[[], None], float]]:
    """Return what is to be closed, and the seconds each may take."""
    closers: dict[str, tuple[Callable[[], None], float]] = {"errors": (lambda: runtime.sentry.close(timeout), timeout)}
    if isinstance(runtime.tracer_provider, TracerProvider):
        seconds = _patience(runtime.settings, "traces", timeout)
        closers["spans"] = (runtime.tracer_provider.shutdown, seconds)
    if isinstance(meters := runtime.meter_provider, MeterProvider):
        seconds = _patience(runtime.settings, "metrics", timeout)
        closers["metrics"] = (lambda: meters.shutdown(timeout * 1000), seconds)
    return closers


def _run_all(closers: dict[str, tuple[Callable[[], None], float]]) -> list[str]:
    """Run all at once, each in a daemon thread; return the names of those not done within their own seconds."""
    start = time.monotonic()
    threads = {
        name: threading.Thread(target=_quietly, args=(close,), daemon=True) for name, (close, _) in closers.items()
    }
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(0.0, start + closers[name][1] - time.monotonic()))
    return [name for name, thread in threads.items() if thread.is_alive()]


_stopping = _guard.Guard("stop an exporter")


def _quietly(close: Callable[[], None]) -> None:
    with _stopping:
        close()
