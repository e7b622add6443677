"""`init` and `shutdown`: from the environment to a running set-up, and out of it within a deadline."""

from __future__ import annotations

import atexit
import functools
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.propagate import set_global_textmap

from telemetry import _closing, _guard, _runtime, providers, standard
from telemetry._closing import DEFAULT_TIMEOUT_SECONDS
from telemetry._fork import survive_forks
from telemetry._meters import RenewableMeterProvider
from telemetry._signals import stop_at_sigterm
from telemetry.context import report_logged, report_unhandled
from telemetry.instruments import Instruments
from telemetry.logs import correlate_logs
from telemetry.process import observe_process
from telemetry.propagation import TrustedPropagator
from telemetry.sentry import Sentry
from telemetry.settings import Settings
from telemetry.switches import Switches, watch

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Tracer

__all__ = ["get_meter", "get_tracer", "init", "shutdown", "shutdown_async"]

_JOIN_SECONDS = 0.5

_logger = logging.getLogger("telemetry")
_lock = threading.Lock()
_started = False


def init(*, strict: bool = False) -> None:
    """Read the environment and start traces, metrics and Sentry as it asks; call it once, before anything else.

    A second call changes nothing. A wrong setting is logged and its default used; with `strict` it raises
    `SettingError`, and any later failure of ours raises too (meant for tests). Nothing here waits on the network.
    A forked child begins anew by itself. What is held is sent at the end of the process: by `atexit`, at SIGTERM where
    the application does not handle it, at the end of an instrumented FastAPI application's lifespan.
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
    _outlive_the_process()


@functools.cache
def _outlive_the_process() -> None:
    """Once a process and its children: the hooks stay, and do nothing where nothing is set up."""
    survive_forks(_unlock, shutdown)
    stop_at_sigterm(shutdown, DEFAULT_TIMEOUT_SECONDS + _JOIN_SECONDS)


def _unlock() -> None:
    global _lock  # noqa: PLW0603 - of a forked child: a thread of its parent may have held the one before
    _lock = threading.Lock()


def shutdown(timeout: float = DEFAULT_TIMEOUT_SECONDS) -> bool:
    """Send what is queued and stop, in `timeout` seconds at most; tells whether all was sent in time.

    Where nothing listens at the Collector's address, waiting helps nobody, and one second is all it takes. May be
    called twice, and without `init`. What could not be sent is said in one log line. It waits: on an event loop use
    `await shutdown_async()`.
    """
    global _started  # noqa: PLW0603 - see init
    with _lock:
        if not _started:
            return True
        _started = False
        atexit.unregister(shutdown)
        runtime = _runtime.current()
        _runtime.install(_runtime.Runtime(settings=runtime.settings))
    start = time.monotonic()
    runtime.stop()
    late = _closing.close(runtime, timeout)
    if late:
        seconds = time.monotonic() - start
        _logger.warning("telemetry stopped after %.1f s without having sent all %s", seconds, " and ".join(late))
    return not late


async def shutdown_async(timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:  # noqa: ASYNC109 - as shutdown's
    """Do as `shutdown` does while the event loop goes on."""
    await _closing.in_thread(lambda: shutdown(timeout))


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
    process = os.getpid()

    def build() -> MeterProvider:
        here = resource if os.getpid() == process else providers.renewed(resource)
        return providers.meter_provider(settings, here)

    provider = RenewableMeterProvider(build)
    metrics.set_meter_provider(provider)
    return provider
