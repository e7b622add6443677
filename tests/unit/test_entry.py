"""Where a trace begins: decided first, cheap when it is not recorded, and opened when it fails or is slow."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Iterator

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

import telemetry
from telemetry._current_entry import current_entry
from telemetry.entry import Entry, Root, _Unrecorded, root_span
from telemetry.propagation import caller_of
from telemetry.settings import Settings
from tests.conftest import Recorded, left_by_a_chain, record

ROOT = Root("work", attributes={"work.kind": "test"})


@pytest.fixture
def unsampled() -> Iterator[Recorded]:
    yield from record(Settings(sentry_sample_rate=0.0))


def run(*, fail: bool = False, slow: bool = False) -> SpanContext:
    """Run an entry; return the context its code has seen."""
    entry = Entry()
    entry.start(ROOT)
    with entry:
        seen = trace.get_current_span().get_span_context()
        telemetry.set_user_context("7")
        with telemetry.get_tracer().start_as_current_span("inside"):
            pass
    if fail:
        entry.fail("ValueError")
    entry.end(lambda: ROOT, slow=slow)
    return seen


def test_what_is_sampled_has_its_root_and_its_children(recorded: Recorded) -> None:
    seen = run()
    inside, root = recorded.span("inside"), recorded.span("work")
    assert (root.context, inside.parent) == (seen, seen)
    assert dict(root.attributes or {}) == {"work.kind": "test", "user.id": "7"}


def test_what_is_not_sampled_leaves_nothing_when_all_goes_well(unsampled: Recorded) -> None:
    seen = run()
    assert unsampled.spans == []
    assert seen.is_valid
    assert not seen.trace_flags.sampled


@pytest.mark.parametrize(("how", "status"), [("fail", StatusCode.ERROR), ("slow", StatusCode.UNSET)])
def test_what_is_not_sampled_leaves_its_root_when_it_fails_or_is_slow(
    unsampled: Recorded, how: str, status: StatusCode
) -> None:
    before = time.time_ns()
    seen = run(**{how: True})
    (root,) = unsampled.spans
    assert root.context is not None
    assert (root.context.trace_id, root.context.span_id) == (seen.trace_id, seen.span_id)
    assert root.parent is None
    assert root.status.status_code is status
    assert dict(root.attributes or {}).items() >= {"work.kind": "test", "user.id": "7"}.items()
    assert before <= (root.start_time or 0) <= (root.end_time or 0) <= time.time_ns()


class Slow(RandomIdGenerator):
    """Gives an id only after somebody else has asked for the same one."""

    def __init__(self) -> None:
        self.others: list[SpanContext] = []
        self.span = _Unrecorded(1, self)

    def generate_span_id(self) -> int:
        if not self.others:
            self.others.append(trace.INVALID_SPAN_CONTEXT)
            self.others.append(self.span.get_span_context())
        return super().generate_span_id()


def test_two_threads_that_ask_first_for_the_ids_of_what_is_not_sampled_get_the_same() -> None:
    ids = Slow()
    assert ids.span.get_span_context() is ids.others[1]


def test_two_entries_are_two_traces(unsampled: Recorded) -> None:
    assert len({run(fail=True).trace_id for _ in range(50)}) == 50
    assert len({span.context.trace_id for span in unsampled.spans if span.context}) == 50


def test_nothing_of_what_ran_before_is_seen(recorded: Recorded) -> None:
    token = context.attach(baggage.set_baggage("user", "secret"))
    with Entry():
        assert baggage.get_baggage("user") is None
    assert baggage.get_baggage("user") == "secret"
    context.detach(token)


def test_a_job_that_starts_the_next_one_leaves_no_chain_of_entries(unsampled: Recorded) -> None:
    def job() -> contextvars.Context:
        with Entry():
            return contextvars.copy_context()

    assert left_by_a_chain(job, Entry) <= 1


def test_an_entry_that_is_left_in_another_task_leaves_that_ones_alone(unsampled: Recorded) -> None:
    entry, here = Entry(), Entry()
    contextvars.copy_context().run(entry.__enter__)
    with here:
        entry.__exit__()
        assert current_entry.get() is here
        assert trace.get_current_span() is here.root
    assert current_entry.get() is None


def test_with_tracing_switched_off_nothing_is_left(recorded: Recorded) -> None:
    from telemetry import _runtime  # noqa: PLC0415 - the set-up to be replaced

    _runtime.install(_runtime.Runtime())
    run(fail=True)
    assert recorded.spans == []


def test_an_error_that_leaves_a_root_span_fails_it(unsampled: Recorded) -> None:
    with pytest.raises(ValueError, match="inside"), root_span(ROOT):
        raise ValueError("inside")
    assert unsampled.spans[0].status.status_code is StatusCode.ERROR


TRACE, SPAN = "a" * 32, "b" * 16
NETWORKS = Settings.read({"TELEMETRY_TRUSTED_CALLERS": "10.0.0.0/8, ::1"})[0].trusted_callers


@pytest.mark.parametrize(
    ("address", "header", "believed"),
    [
        ("10.1.2.3", f"00-{TRACE}-{SPAN}-01", True),
        ("::1", f"00-{TRACE}-{SPAN}-00", True),
        ("11.1.2.3", f"00-{TRACE}-{SPAN}-01", False),
        ("10.1.2.3", "junk", False),
        ("10.1.2.3", f"00-{'0' * 32}-{SPAN}-01", False),
        (None, f"00-{TRACE}-{SPAN}-01", False),
        ("testclient", f"00-{TRACE}-{SPAN}-01", False),
    ],
    ids=["inside", "inside, IPv6", "outside", "junk", "zeros", "a socket without address", "no address"],
)
def test_only_callers_on_the_list_are_believed(address: str | None, header: str, *, believed: bool) -> None:
    for _ in record(Settings(trusted_callers=NETWORKS)):
        found = caller_of(address, lambda: {"traceparent": header})
        assert (found is not None) == believed
        assert found is None or trace.format_trace_id(found.trace_id) == TRACE


@pytest.mark.parametrize("sampled", [True, False])
def test_a_trusted_callers_trace_goes_on_as_it_says(unsampled: Recorded, *, sampled: bool) -> None:
    caller = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=True, trace_flags=TraceFlags(sampled))
    entry = Entry(caller)
    entry.start(ROOT)
    entry.end(lambda: ROOT)
    assert [span.parent and span.parent.span_id for span in unsampled.spans] == [caller.span_id] * sampled


@pytest.mark.parametrize("tracer", ["telemetry", "the application's own"])
def test_a_trusted_callers_trace_stays_whole_where_a_sampler_would_decide_otherwise(tracer: str) -> None:
    settings = Settings(traces_sampler="traceidratio", traces_sampler_arg=0.0)
    caller = SpanContext(int(TRACE, 16), int(SPAN, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    for recorded in record(settings):
        entry = Entry(caller)
        entry.start(ROOT)
        with entry, recorded.runtime.tracer_provider.get_tracer(tracer).start_as_current_span("inside"):
            pass
        entry.end(lambda: ROOT)
        assert [span.name for span in recorded.spans] == ["inside", "work"]
