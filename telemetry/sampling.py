"""One decision a trace, made from its id, shared by OpenTelemetry and Sentry.

Precedence: `OTEL_TRACES_SAMPLER` when it is set, else `SENTRY_TRACES_SAMPLE_RATE`, else the environment's default
(all in development, a tenth elsewhere). Where both are set, Sentry keeps its own share of what OpenTelemetry records.

Where a trace begins with us the decision is made before a span exists (`telemetry.entry`), by the same comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from telemetry.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.sampling import SamplingResult

    from telemetry.settings import Settings

__all__ = ["SwitchedSampler", "keeps", "sampler", "sentry_keeps", "share"]


class SwitchedSampler(Sampler):
    """Records nothing while tracing is switched off, and leaves all else to another sampler."""

    def __init__(self, rest: Sampler, switches: Switches) -> None:
        """Leave to `rest` what is decided while tracing is on."""
        self._rest, self._switches = rest, switches

    @property
    def follows_parents(self) -> bool:
        """Whether a span is recorded if its parent in this process is, without being asked about."""
        return self._switches.tracing

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        *more: Any,  # noqa: ANN401 - as the SDK's
        **named: Any,  # noqa: ANN401
    ) -> SamplingResult:
        """Decide on a span that starts."""
        decides = self._rest if self._switches.tracing else ALWAYS_OFF
        return decides.should_sample(parent_context, trace_id, name, *more, **named)

    def get_description(self) -> str:
        """Describe the sampler that decides."""
        return self._rest.get_description()


def sampler(settings: Settings, switches: Switches | None = None) -> Sampler:
    """Return the sampler the settings ask for, while tracing is not switched off.

    Within a process every one follows the parent: `traceidratio` would answer the same for the same trace, except for a
    trusted caller's, which it would tear. A remote parent is followed by those that are `parentbased_`.
    """
    root = _root(settings)
    parent_based = settings.traces_sampler is None or settings.traces_sampler.startswith("parentbased_")
    remote = {} if parent_based else {"remote_parent_sampled": root, "remote_parent_not_sampled": root}
    return SwitchedSampler(ParentBased(root, **remote), switches or Switches())


def _bound(settings: Settings) -> int:
    root = _root(settings)
    return root.bound if isinstance(root, TraceIdRatioBased) else _ALL if root is ALWAYS_ON else 0


def share(settings: Settings) -> float:
    """Return the share of traces that the settings ask for, from 0 to 1."""
    return _bound(settings) / _ALL


def keeps(settings: Settings) -> Callable[[int], bool]:
    """Return what tells, by its id, whether a trace that begins here is recorded."""
    return _is_below(_bound(settings))


def sentry_keeps(settings: Settings) -> Callable[[int], bool]:
    """Return what tells, by a trace's id, whether Sentry gets a transaction of one that OpenTelemetry records."""
    if settings.traces_sampler is None or settings.sentry_sample_rate is None:
        return lambda _trace_id: True
    return _is_below(TraceIdRatioBased.get_bound_for_rate(settings.sentry_sample_rate))


def _is_below(bound: int) -> Callable[[int], bool]:
    """Return the comparison of the SDK's own sampler by ratio."""
    limit = TraceIdRatioBased.TRACE_ID_LIMIT
    return lambda trace_id: trace_id & limit < bound


_ALL = TraceIdRatioBased.get_bound_for_rate(1.0)


def _root(settings: Settings) -> Sampler:
    name = (settings.traces_sampler or "traceidratio").removeprefix("parentbased_")
    if name == "always_on":
        return ALWAYS_ON
    if name == "always_off":
        return ALWAYS_OFF
    return TraceIdRatioBased(settings.traces_sampler_arg if settings.traces_sampler else settings.sample_rate)
