"""One decision a trace, which no client can force."""

from __future__ import annotations

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from telemetry.sampling import sampler, sentry_keeps
from telemetry.settings import Settings

TRACE_IDS = [(index * 0x9E3779B97F4A7C15) % 2**64 + (1 << 64) for index in range(1, 4001)]


def share(settings: Settings, parent: Context | None = None) -> float:
    decisions = [sampler(settings).should_sample(parent or Context(), trace_id, "x") for trace_id in TRACE_IDS]
    return sum(d.decision is Decision.RECORD_AND_SAMPLE for d in decisions) / len(decisions)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), 1.0),
        (Settings(environment="production"), 0.1),
        (Settings(sentry_sample_rate=0.5), 0.5),
        (Settings(sentry_sample_rate=0.0), 0.0),
        (Settings(traces_sampler="always_on", sentry_sample_rate=0.1), 1.0),
        (Settings(traces_sampler="parentbased_traceidratio", traces_sampler_arg=0.25), 0.25),
        (Settings(traces_sampler="always_off"), 0.0),
    ],
    ids=["development", "production", "set", "zero", "otel wins", "otel ratio", "otel off"],
)
def test_the_share_of_traces_is_the_settings(settings: Settings, expected: float) -> None:
    assert share(settings) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("flags", [TraceFlags.SAMPLED, TraceFlags.DEFAULT], ids=["asks for it", "asks against it"])
def test_a_remote_callers_flag_changes_nothing(flags: int) -> None:
    caller = SpanContext(1 << 100, 1, is_remote=True, trace_flags=TraceFlags(flags))
    parent = set_span_in_context(NonRecordingSpan(caller))
    assert share(Settings(sentry_sample_rate=0.1), parent) == pytest.approx(0.1, abs=0.02)


def test_a_child_follows_its_parent_in_the_process() -> None:
    unsampled = set_span_in_context(NonRecordingSpan(SpanContext(1 << 100, 1, is_remote=False)))
    assert share(Settings(), unsampled) == 0.0


def test_sentry_keeps_its_own_share_of_what_opentelemetry_records() -> None:
    settings = Settings(traces_sampler="always_on", sentry_sample_rate=0.1)
    kept = sum(sentry_keeps(settings, trace_id) for trace_id in TRACE_IDS) / len(TRACE_IDS)
    assert kept == pytest.approx(0.1, abs=0.02)
    assert sentry_keeps(Settings(sentry_sample_rate=0.1), TRACE_IDS[0])
