"""What `init` has set up, for the modules that record; before `init` everything here is there and does nothing."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import NoOpTracerProvider, Tracer, TracerProvider

from telemetry import sampling
from telemetry._spans import LeanTracerProvider
from telemetry.accounting import Accounts
from telemetry.engagement import Engagement
from telemetry.in_flight import InFlight
from telemetry.instrumentation._handle import Handle
from telemetry.instruments import Instruments
from telemetry.pseudonyms import Pseudonyms
from telemetry.sentry import Sentry
from telemetry.settings import Settings
from telemetry.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.span_queue import SpanQueue

__all__ = ["Runtime", "current", "install", "only_here"]

NAME = "telemetry"


@dataclass(frozen=True)
class Runtime:
    """One set-up: its settings, and where spans, metrics and errors go."""

    settings: Settings = field(default_factory=Settings)
    tracer_provider: TracerProvider = field(default_factory=NoOpTracerProvider)
    meter_provider: MeterProvider = field(default_factory=NoOpMeterProvider)
    instruments: Instruments = field(default_factory=Instruments)
    sentry: Sentry = field(default_factory=Sentry)
    in_flight: InFlight = field(default_factory=InFlight)
    logs: Handle = field(default_factory=Handle)
    ids: IdGenerator = field(default_factory=RandomIdGenerator)
    switches: Switches = field(default_factory=Switches)
    watching: Handle = field(default_factory=Handle)
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)
    accounts: Accounts = field(default_factory=Accounts)
    span_queue: SpanQueue | None = None

    @cached_property
    def tracer(self) -> Tracer:
        """The tracer of this package's own spans; a provider makes a new one for each that asks."""
        return self.tracer_provider.get_tracer(NAME)

    @cached_property
    def tracing(self) -> bool:
        """Whether spans are recorded at all."""
        return isinstance(self.tracer_provider, LeanTracerProvider)

    @property
    def is_off(self) -> bool:
        """Whether nothing is recorded now: no trace, no metric, no error."""
        traces = self.tracing and self.switches.tracing
        return not (traces or self.instruments.is_on or self.sentry.is_on)

    @cached_property
    def keeps_trace(self) -> Callable[[int], bool]:
        """What tells, by its id, whether a trace that begins here is recorded."""
        return sampling.keeps(self.settings)

    @cached_property
    def engagement(self) -> Engagement:
        """Who wrote how often in the window that runs."""
        return Engagement(self.instruments, self.settings.engagement_window_seconds)

    def stop(self) -> None:
        """End what runs beside the application, and record what was held back; exporters go on."""
        self.in_flight.stop()
        self.engagement.flush()
        self.logs.close()
        self.watching.close()

    def __post_init__(self) -> None:
        self.in_flight.observe(self.instruments)
        if self.tracing:
            self.in_flight.watch(self.tracer, self.settings.start_record_after_seconds)


_current = Runtime()
_own: ContextVar[Runtime | None] = ContextVar("telemetry_runtime", default=None)


def current() -> Runtime:
    """Return the set-up in force."""
    return _own.get() or _current


def install(runtime: Runtime) -> None:
    """Put a set-up in force."""
    global _current  # noqa: PLW0603 - the one place where a set-up is replaced
    _current = runtime


@contextmanager
def only_here(runtime: Runtime) -> Iterator[None]:
    """Put a set-up in force for the running task or thread, until the block is left."""
    token = _own.set(runtime)
    try:
        yield
    finally:
        _own.reset(token)
