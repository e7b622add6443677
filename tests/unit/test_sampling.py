"""One decision a trace, which no client can force."""

from __future__ import annotations

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from telemetry.sampling import keeps, sampler, sentry_keeps
from telemetry.settings import Settings

TRACE_IDS = [(index * 0x9E3779B97F4A7C15) % 2**64 + (1 << 64) for index in range(1, 4001)]


def share(settings: Settings, parent: Context | None = None) -> float:
    decisions = [sampler(settings).should_sample(parent or Context(), trace_id, "x") for trace_id in TRACE_IDS]
    return sum(d.decision is Decision.RECORD_AND_SAMPLE for d in decisions) / len(decisions)


SETTINGS = {
    "development": Settings(),
    "production": Settings(environment="production"),
    "set": Settings(sentry_sample_rate=0.5),
    "zero": Settings(sentry_sample_rate=0.0),
    "otel wins": Settings(traces_sampler="always_on", sentry_sample_rate=0.1),
    "otel ratio": Settings(traces_sampler="parentbased_traceidratio", traces_sampler_arg=0.25),
    "otel off": Settings(traces_sampler="always_off"),
}
SHARES = (1.0, 0.1, 0.5, 0.0, 1.0, 0.25, 0.0)


@pytest.mark.parametrize(("settings", "expected"), list(zip(SETTINGS.values(), SHARES, strict=True)), ids=SETTINGS)
def test_the_share_of_traces_is_the_settings(settings: Settings, expected: float) -> None:
    assert share(settings) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_what_an_entry_decides_the_sampler_decides_too(settings: Settings) -> None:
    for trace_id in TRACE_IDS[:200]:
        recorded = sampler(settings).should_sample(Context(), trace_id, "x").decision is Decision.RECORD_AND_SAMPLE
        assert keeps(settings)(trace_id) is recorded


def test_a_child_follows_its_parent_in_the_process() -> None:
    unsampled = set_span_in_context(NonRecordingSpan(SpanContext(1 << 100, 1, is_remote=False)))
    assert share(Settings(), unsampled) == 0.0


def test_sentry_keeps_its_own_share_of_what_opentelemetry_records() -> None:
    settings = Settings(traces_sampler="always_on", sentry_sample_rate=0.1)
    found = sum(map(sentry_keeps(settings), TRACE_IDS)) / len(TRACE_IDS)
    assert found == pytest.approx(0.1, abs=0.02)
    assert sentry_keeps(Settings(sentry_sample_rate=0.1))(TRACE_IDS[0])
