"""A meter provider that begins anew in a forked child, and with it every meter and instrument it has given out.

A forked process inherits its parent's counts, as if it had made them itself, and locks that a thread of the parent may
have held, which nobody will ever open. So the child gets a provider of its own, and whoever holds an instrument records
into that one without knowing. The same stand-ins record nothing while metrics are switched off at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import metrics

from telemetry.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackT
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.util.types import Attributes

    from telemetry._series import SeriesStore

__all__ = ["RenewableMeterProvider"]


class Renewable:
    """Stands for something a provider made, and can have it made again."""

    def __init__(self, make: Callable[[], Any], switches: Switches) -> None:
        """Have it made by `make`, now and at each `renew`."""
        self._make, self._switches = make, switches
        self.real = make()

    def renew(self) -> None:
        """Have it made again."""
        self.real = self._make()


class _Adds(Renewable):
    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        if self._switches.metrics:
            self.real.add(amount, attributes, context)


class _Counter(_Adds, metrics.Counter):
    """As the API's."""


class _UpDownCounter(_Adds, metrics.UpDownCounter):
    """As the API's."""


class _Histogram(Renewable, metrics.Histogram):
    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        if self._switches.metrics:
            self.real.record(amount, attributes, context)


class _Gauge(Renewable, metrics._Gauge):  # noqa: SLF001 - the only name the API has for it
    def set(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:
        if self._switches.metrics:
            self.real.set(amount, attributes, context)


class _ObservableCounter(Renewable, metrics.ObservableCounter):
    """As the API's."""


class _ObservableUpDownCounter(Renewable, metrics.ObservableUpDownCounter):
    """As the API's."""


class _ObservableGauge(Renewable, metrics.ObservableGauge):
    """As the API's."""


Made = TypeVar("Made", bound=Renewable)


class _Meter(metrics.Meter):
    """Gives out instruments of the real meter, each once."""

    def __init__(self, get_real: Callable[[], metrics.Meter], switches: Switches) -> None:
        self._get_real, self._switches = get_real, switches
        self._real = get_real()
        self._made: dict[tuple[object, ...], Renewable] = {}

    @property
    def store(self) -> SeriesStore | None:
        """The series of this process's provider."""
        return getattr(self._real, "store", None)

    def renew(self) -> None:
        self._real = self._get_real()
        for instrument in self._made.values():
            instrument.renew()

    def _once(self, kind: type[Made], create: str, name: str, *rest: Any, **named: Any) -> Made:  # noqa: ANN401
        key = (kind, name.lower(), *rest[-2:])
        if key not in self._made:
            self._made[key] = kind(lambda: getattr(self._real, create)(name, *rest, **named), self._switches)
        found = self._made[key]
        assert isinstance(found, kind)  # noqa: S101 - the key says so
        return found

    def _asked(self, callbacks: Sequence[CallbackT] | None) -> list[CallbackT]:
        """Return the callbacks, each asked only while metrics are on."""

        def only_when_on(callback: Any) -> CallbackT:  # noqa: ANN401 - a function or a generator that was started
            if not callable(callback):
                return callback  # type: ignore[no-any-return]
            return lambda options: callback(options) if self._switches.metrics else ()

        return [only_when_on(callback) for callback in callbacks or ()]

    def create_counter(self, name: str, unit: str = "", description: str = "") -> metrics.Counter:
        return self._once(_Counter, "create_counter", name, unit, description)

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> metrics.UpDownCounter:
        return self._once(_UpDownCounter, "create_up_down_counter", name, unit, description)

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> metrics.Histogram:
        advised = {"explicit_bucket_boundaries_advisory": explicit_bucket_boundaries_advisory}
        return self._once(_Histogram, "create_histogram", name, unit, description, **advised)

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> _Gauge:
        return self._once(_Gauge, "create_gauge", name, unit, description)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableCounter:
        return self._once(
            _ObservableCounter, "create_observable_counter", name, self._asked(callbacks), unit, description
        )

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableUpDownCounter:
        create = "create_observable_up_down_counter"
        return self._once(_ObservableUpDownCounter, create, name, self._asked(callbacks), unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableGauge:
        return self._once(_ObservableGauge, "create_observable_gauge", name, self._asked(callbacks), unit, description)


class RenewableMeterProvider(metrics.MeterProvider):
    """The SDK's provider of this process, whichever process this is."""

    def __init__(self, build: Callable[[], MeterProvider], switches: Switches | None = None) -> None:
        """Have the provider made by `build`, now and in each forked child; record while `switches` say so."""
        self._build, self._switches = build, switches or Switches()
        self._real = build()
        self._meters: dict[tuple[object, ...], _Meter] = {}
        self._inherited: list[MeterProvider] = []

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Attributes = None
    ) -> metrics.Meter:
        """Return a meter that lives as long as this provider."""
        key = (name, version, schema_url, tuple((attributes or {}).items()))
        if key not in self._meters:
            self._meters[key] = _Meter(
                lambda: self._real.get_meter(name, version, schema_url, attributes), self._switches
            )
        return self._meters[key]

    def renew(self) -> None:
        """Begin anew; the parent's provider is kept, untouched, so that nothing of it is closed from here."""
        self._inherited.append(self._real)
        self._real = self._build()
        for meter in list(self._meters.values()):
            meter.renew()

    def force_flush(self, timeout_millis: float) -> bool:
        """Collect and send."""
        return self._real.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float) -> None:
        """Collect and send for the last time."""
        self._real.shutdown(timeout_millis)
