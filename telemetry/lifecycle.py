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
from opentelemetry.sdk.trace import TracerProvider

from telemetry import _closing, _guard, _quiet, _runtime, providers, standard
from telemetry._closing import DEFAULT_TIMEOUT_SECONDS
from telemetry._fork import survive_forks
from telemetry._guard import start_or_do_without
from telemetry._meters import RenewableMeterProvider
from telemetry._signals import stop_at_sigterm
from telemetry.accounting import Accounts
from telemetry.context import report_logged, report_unhandled
from telemetry.instruments import Instruments
from telemetry.logs import correlate_logs
from telemetry.process import observe_process
from telemetry.propagation import TrustedPropagator
from telemetry.pseudonyms import Pseudonyms
from telemetry.sentry import Sentry
from telemetry.settings import Settings
from telemetry.switches import Switches, watch

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Tracer

    from telemetry.span_queue import SpanQueue

__all__ = ["get_meter", "get_tracer", "init", "shutdown", "shutdown_async"]

_JOIN_SECONDS = 0.5
_APPLICATION = "application"

_logger = logging.getLogger("telemetry")
_starting = _guard.Guard("start")
_lock = threading.Lock()
_started = False


def init(*, strict: bool = False) -> None:
    """Read the environment and start traces, metrics and Sentry as it asks; call it once, before anything else.

    A second call changes nothing. A wrong setting is logged and its default used, and what does not start (a package
    that is missing) is logged and done without; with `strict` both raise (`SettingError`, `MissingExtraError`), as does
    any later failure of ours (meant for tests). Nothing here waits on the network.
    A forked child begins anew by itself. What is held is sent at the end of the process: by `atexit`, at SIGTERM where
    the application does not handle it, at the end of an instrumented FastAPI application's lifespan.
    """
    global _started  # noqa: PLW0603 - one set-up a process
    with _lock:
        if _started:
            return
        settings = _settings(strict=strict)
        _guard.set_strict(strict)
        with _starting:  # a container at its limit of threads starts without telemetry
            _quiet.say_rarely()
            _runtime.install(_build(settings))
        _started = True
        atexit.register(shutdown)
    _outlive_the_process()


@functools.cache
def _outlive_the_process() -> None:
    """Once a process and its children: the hooks stay, and do nothing where nothing is set up."""
    survive_forks(_unlock, shutdown)
    stop_at_sigterm(shutdown, _flush, DEFAULT_TIMEOUT_SECONDS + _JOIN_SECONDS)


def _flush() -> None:
    _closing.flush(_runtime.current())


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
    unsent = _closing.close(runtime, timeout)
    if unsent:
        seconds, what = time.monotonic() - start, " and ".join(filter(None, [", ".join(unsent[:-1]), unsent[-1]]))
        _logger.warning("telemetry stopped after %.1f s without having sent %s", seconds, what)
    return not unsent


async def shutdown_async(timeout: float = DEFAULT_TIMEOUT_SECONDS) -> None:  # noqa: ASYNC109 - as shutdown's
    """Do as `shutdown` does while the event loop goes on."""
    await _closing.in_thread(lambda: shutdown(timeout))


def get_tracer() -> Tracer:
    """Return the tracer for spans of the application's own."""
    return _runtime.current().tracer


def get_meter() -> Meter:
    """Return a meter; what it records is dropped unless the catalog has the metric's name, and so are other labels."""
    return _runtime.current().meter_provider.get_meter(_APPLICATION)


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
    resource, switches, accounts = providers.resource(settings), Switches(), Accounts()
    sentry = start_or_do_without(lambda: _sentry(settings, switches, accounts), Sentry)
    set_global_textmap(TrustedPropagator())
    tracing = _tracing(settings, resource, switches)
    queue = _send_spans(tracing, settings, accounts)
    _link_to_sentry(tracing, sentry)
    meters = _metering(settings, resource, switches, accounts)
    instruments = Instruments(meters.get_meter(_runtime.NAME), switches, accounts.labels)
    observe_process(instruments)
    accounts.observe(instruments)
    return _runtime.Runtime(
        settings, tracing, meters, instruments, sentry,
        logs=correlate_logs(settings.service_name), switches=switches, watching=watch(settings, switches),
        accounts=accounts, span_queue=queue, pseudonyms=Pseudonyms.of(settings),
    )  # fmt: skip


def _sentry(settings: Settings, switches: Switches, accounts: Accounts) -> Sentry:
    sentry = Sentry.start(settings, switches, accounts)
    sentry.watch_unhandled(report_unhandled, report_logged)
    return sentry


def _tracing(settings: Settings, resource: Resource, switches: Switches) -> trace.TracerProvider:
    if settings.sdk_disabled or not settings.enable_tracing:
        return trace.NoOpTracerProvider()
    provider = providers.tracer_provider(settings, resource, switches=switches)
    trace.set_tracer_provider(provider)
    return provider


def _send_spans(provider: trace.TracerProvider, settings: Settings, accounts: Accounts) -> SpanQueue | None:
    if not isinstance(provider, TracerProvider) or settings.traces_exporter != "otlp":
        return None
    queue = providers.span_queue(settings, accounts)
    provider.add_span_processor(queue)
    return queue


def _link_to_sentry(provider: trace.TracerProvider, sentry: Sentry) -> None:
    if isinstance(provider, TracerProvider):
        for processor in sentry.span_processors():
            provider.add_span_processor(processor)


def _metering(settings: Settings, resource: Resource, switches: Switches, accounts: Accounts) -> metrics.MeterProvider:
    if settings.sdk_disabled or not settings.enable_metrics:
        return metrics.NoOpMeterProvider()
    process = os.getpid()

    def build() -> MeterProvider:
        here = resource if os.getpid() == process else providers.renewed(resource)
        return providers.meter_provider(here, providers.metric_readers(settings, accounts), accounts.labels)

    provider = RenewableMeterProvider(build, switches)
    metrics.set_meter_provider(provider)
    return provider
