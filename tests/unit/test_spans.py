"""Our spans beside the SDK's: after the same calls they say the same."""

from __future__ import annotations

import asyncio
import json
import pickle
import runpy
from collections.abc import AsyncGenerator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, Tracer, TraceState

from telemetry import _current_span
from telemetry._spans import SAMPLED, LeanSpan, LeanTracerProvider, span_context

RESOURCE = Resource({"service.name": "test"})
ELSEWHERE = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))


def attributes(tracer: Tracer) -> None:
    span = tracer.start_span("x", attributes={"text": "a", "number": 1, "list": ["a", "b"]}, kind=SpanKind.CLIENT)
    span.set_attribute("truth", True)
    span.set_attributes({"number": 2, "ratio": 0.5})
    span.end()
    span.set_attribute("late", 1)


def a_changed_list(tracer: Tracer) -> None:
    values = ["a"]
    span = tracer.start_span("x", attributes={"list": values})
    values.append("b")
    span.end()


def names_and_times(tracer: Tracer) -> None:
    span = tracer.start_span("x", start_time=5)
    span.update_name("y")
    span.end(9)
    span.update_name("z")
    span.end(10)


def statuses(tracer: Tracer) -> None:
    for calls in (
        [(StatusCode.ERROR, "bad")], [(StatusCode.OK, None), (StatusCode.ERROR, "bad")],
        [(StatusCode.ERROR, "bad"), (StatusCode.UNSET, None)], [(StatusCode.ERROR, "bad"), (StatusCode.OK, None)],
        [(Status(StatusCode.ERROR, "whole"), None)],
    ):  # fmt: skip
        span = tracer.start_span("x")
        for status, description in calls:
            span.set_status(status, description)
        span.end()


def events(tracer: Tracer) -> None:
    span = tracer.start_span("x")
    span.add_event("happened", {"key": "value", "list": ["a"]}, 7)
    span.add_event("nothing more", timestamp=8)
    span.record_exception(ValueError("bad"), {"more": 1}, timestamp=9)
    span.end()
    span.add_event("late")


def links(tracer: Tracer) -> None:
    span = tracer.start_span("x", links=[Link(ELSEWHERE, {"why": "because"})])
    span.add_link(ELSEWHERE)
    span.end()


def children(tracer: Tracer) -> None:
    with tracer.start_as_current_span("root"), tracer.start_as_current_span("child", kind=SpanKind.SERVER):
        tracer.start_span("grandchild").end()
    tracer.start_span("of another service", trace.set_span_in_context(trace.NonRecordingSpan(ELSEWHERE))).end()


def an_error_that_leaves_a_block(tracer: Tracer) -> None:
    with pytest.raises(ValueError, match="bad"), tracer.start_as_current_span("x", record_exception=False):
        raise ValueError("bad")
    with pytest.raises(ValueError, match="bad"), tracer.start_as_current_span("x", set_status_on_exception=False):
        raise ValueError("bad")


def a_decorated_function(tracer: Tracer) -> None:
    @tracer.start_as_current_span("decorated")
    def work() -> None:
        trace.get_current_span().set_attribute("inside", 1)

    work()
    work()


def a_decorated_coroutine_function(tracer: Tracer) -> None:
    @tracer.start_as_current_span("decorated")
    async def work(fails: bool) -> None:
        await asyncio.sleep(0)
        trace.get_current_span().set_attribute("inside", 1)
        if fails:
            raise ValueError("bad")

    asyncio.run(work(fails=False))
    with pytest.raises(ValueError, match="bad"):
        asyncio.run(work(fails=True))


def a_block_that_is_given_up(tracer: Tracer) -> None:
    with pytest.raises(asyncio.CancelledError), tracer.start_as_current_span("x"):
        raise asyncio.CancelledError


def a_span_that_outlives_its_block(tracer: Tracer) -> None:
    with tracer.start_as_current_span("x", end_on_exit=False) as span:
        assert trace.get_current_span() is span
    assert trace.get_current_span() is trace.INVALID_SPAN
    span.set_attribute("after", 1)
    span.end()


def limits(tracer: Tracer) -> None:
    span = tracer.start_span("x")
    span.set_attributes({"long": "a" * 50, "list": ["b" * 50, "c"]})
    for _ in range(3):
        span.add_event("e", {"long": "d" * 50, "more": 1, "even more": 2}, 1)
        span.add_link(ELSEWHERE, {"one": 1, "two": 2, "three": 3})
    span.end()


CASES = [attributes, a_changed_list, names_and_times, statuses, events, links, children,
         an_error_that_leaves_a_block, a_decorated_function, a_decorated_coroutine_function, a_block_that_is_given_up,
         a_span_that_outlives_its_block, limits]  # fmt: skip


class CountingIds(RandomIdGenerator):
    def __init__(self) -> None:
        self.last = 0

    def generate_span_id(self) -> int:
        self.last += 1
        return self.last

    generate_trace_id = generate_span_id


def said(provider: TracerProvider, work: Callable[[Tracer], None]) -> Iterator[dict[str, Any]]:
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    work(provider.get_tracer("telemetry"))
    for span in exporter.get_finished_spans():
        found = json.loads(span.to_json())
        for event in found["events"]:
            event["timestamp"] = ""
            event["attributes"].pop("exception.stacktrace", None)
        times = {} if span.start_time == 5 else {"start_time": "", "end_time": ""}
        yield found | times


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("work", CASES, ids=[case.__name__ for case in CASES])
def test_a_span_says_the_same_as_the_sdks(work: Callable[[Tracer], None], monkeypatch: pytest.MonkeyPatch) -> None:
    if work is limits:
        for name in ("ATTRIBUTE_VALUE_LENGTH", "EVENT_ATTRIBUTE_COUNT", "LINK_ATTRIBUTE_COUNT"):
            monkeypatch.setenv(f"OTEL_{name}_LIMIT", "3")
    stock = TracerProvider(ALWAYS_ON, RESOURCE, shutdown_on_exit=False, id_generator=CountingIds())
    lean = LeanTracerProvider(ALWAYS_ON, RESOURCE, CountingIds())
    assert list(said(lean, work)) == list(said(stock, work))


def test_past_their_limits_the_newest_events_and_links_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "2")
    monkeypatch.setenv("OTEL_SPAN_LINK_COUNT_LIMIT", "1")
    span = LeanTracerProvider(ALWAYS_ON, RESOURCE, CountingIds()).get_tracer("telemetry").start_span("x")
    for number in range(4):
        span.add_event(f"e{number}")
        span.add_link(ELSEWHERE)
    assert isinstance(span, LeanSpan)
    assert ([event.name for event in span.events], len(span.links)) == (["e0", "e1"], 1)


@pytest.mark.parametrize("state", [None, TraceState([("vendor", "1")])])
def test_a_context_of_ours_is_what_its_class_makes(state: TraceState | None) -> None:
    stock = SpanContext(5, 6, False, SAMPLED, state)
    assert tuple(span_context(5, 6, SAMPLED, state)) == tuple(stock)
    assert pickle.loads(pickle.dumps(span_context(5, 6, SAMPLED, state))) == stock  # noqa: S301 - our own


def test_none_is_no_attribute() -> None:
    nothing: Any = None
    span = LeanTracerProvider(ALWAYS_ON, RESOURCE, CountingIds()).get_tracer("telemetry").start_span("x")
    span.set_attribute("nothing", nothing)
    span.set_attributes({"nothing": nothing})
    assert isinstance(span, LeanSpan)
    assert span.attributes == {}


def test_past_the_limit_of_attributes_the_newest_is_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "2")
    span = LeanTracerProvider(ALWAYS_ON, RESOURCE, CountingIds()).get_tracer("telemetry").start_span("x")
    span.set_attributes({"a": 1, "b": 2, "c": 3})
    span.set_attribute("a", 4)
    assert isinstance(span, LeanSpan)
    assert (dict(span.attributes or {}), span.dropped_attributes) == ({"a": 4, "b": 2}, 1)


def test_what_is_not_sampled_is_not_recorded_and_has_ids() -> None:
    span = LeanTracerProvider(ALWAYS_OFF, RESOURCE, CountingIds()).get_tracer("telemetry").start_span("x")
    assert not span.is_recording()
    assert span.get_span_context().is_valid
    assert not span.get_span_context().trace_flags.sampled


def test_other_libraries_have_the_sdks_own_spans() -> None:
    provider = LeanTracerProvider(ALWAYS_ON, RESOURCE, CountingIds())
    assert not isinstance(provider.get_tracer("sqlalchemy").start_span("x"), LeanSpan)


def test_pydantic_ai_has_lean_spans_of_its_own_scope() -> None:
    asked = ("pydantic-ai", "2.68", "https://schema", {"a": 1})
    (lean, sdks) = (
        provider.get_tracer(*asked).start_span("x")
        for provider in (LeanTracerProvider(ALWAYS_ON, RESOURCE, CountingIds()), TracerProvider())
    )
    assert isinstance(lean, LeanSpan)
    assert isinstance(sdks, ReadableSpan)
    assert lean.instrumentation_scope == sdks.instrumentation_scope


async def test_a_block_that_is_left_in_another_task_ends_its_span_and_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As that of a generator which a server closes."""
    tracer = LeanTracerProvider(ALWAYS_ON, RESOURCE, CountingIds()).get_tracer("telemetry")

    async def pieces() -> AsyncGenerator[trace.Span, None]:
        with tracer.start_as_current_span("x") as span:
            yield span

    async def close() -> None:
        await generator.aclose()

    generator = pieces()
    span = await asyncio.create_task(generator.asend(None))
    await asyncio.create_task(close())
    assert not span.is_recording()
    assert caplog.records == []


def test_a_context_that_is_kept_otherwise_is_asked_by_its_own_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_PYTHON_CONTEXT names another one."""
    elsewhere = SimpleNamespace(attach=lambda: None, get_current=lambda: None, detach=lambda: None)
    monkeypatch.setattr(context, "_RUNTIME_CONTEXT", elsewhere)
    found = runpy.run_path(_current_span.__file__)
    assert found["attach"] is elsewhere.attach
    assert found["get_current"] is elsewhere.get_current
    assert found["_reset"] is elsewhere.detach
