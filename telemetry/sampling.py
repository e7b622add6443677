"""One decision a trace, made from its id, shared by OpenTelemetry and Sentry.

Precedence: `OTEL_TRACES_SAMPLER` when it is set, else `SENTRY_TRACES_SAMPLE_RATE`, else the environment's default
(all in development, a tenth elsewhere). Where both are set, Sentry keeps its own share of what OpenTelemetry records.
A flag that a remote caller sets decides nothing: a client cannot force sampling.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

if TYPE_CHECKING:
    from telemetry.settings import Settings

__all__ = ["sampler", "sentry_keeps"]


def sampler(settings: Settings) -> Sampler:
    """Return the sampler the settings ask for."""
    root = _root(settings)
    if settings.traces_sampler is not None and not settings.traces_sampler.startswith("parentbased_"):
        return root
    return ParentBased(root, remote_parent_sampled=root, remote_parent_not_sampled=root)


def sentry_keeps(settings: Settings, trace_id: int) -> bool:
    """Tell whether Sentry gets a transaction for a trace that OpenTelemetry records."""
    if settings.traces_sampler is None or settings.sentry_sample_rate is None:
        return True
    return (trace_id & TraceIdRatioBased.TRACE_ID_LIMIT) < TraceIdRatioBased.get_bound_for_rate(
        settings.sentry_sample_rate
    )


def _root(settings: Settings) -> Sampler:
    name = (settings.traces_sampler or "traceidratio").removeprefix("parentbased_")
    if name == "always_on":
        return ALWAYS_ON
    if name == "always_off":
        return ALWAYS_OFF
    return TraceIdRatioBased(settings.traces_sampler_arg if settings.traces_sampler else settings.sample_rate)
