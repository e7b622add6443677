"""Where a trace begins: a request, an update, a job, resumed work; and the one decision whether it is recorded.

The decision is made first, from a new trace id. What is not sampled costs two random numbers and a context that records
nothing. Should it fail, or be slower than its threshold, it leaves one root span all the same, under the very ids that
its errors in Sentry and its log lines carry, with its times and what was said of it.

A caller decides nothing here unless it is trusted (`telemetry.propagation`): then its trace goes on, and is recorded or
not as it says.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation import _SPAN_KEY

from telemetry._current_entry import current_entry
from telemetry._current_span import attach, current_span, get_current, restore
from telemetry._runtime import current
from telemetry._spans import NOT_SAMPLED, SAMPLED, span_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.util.types import AttributeValue

    from telemetry._runtime import Runtime
    from telemetry._spans import LeanTracer

__all__ = ["Entry", "Root", "describe", "root_span", "stand_in"]

_NO_FACTS: Mapping[str, AttributeValue] = MappingProxyType({})
REASON = "sampling.reason"
"""On a root span that is recorded without the rest of its trace: `error` or `slow`."""


class Root(NamedTuple):
    """What a root span says."""

    name: str
    kind: trace.SpanKind = trace.SpanKind.INTERNAL
    attributes: Mapping[str, AttributeValue] = MappingProxyType({})
    links: Sequence[trace.Link] = ()


class _Unrecorded(trace.NonRecordingSpan):
    """The current span of an entry that is not sampled; it has an id once somebody asks for it, and few do."""

    def __init__(self, trace_id: int, ids: IdGenerator) -> None:
        self._trace_id, self._ids = trace_id, ids

    @property
    def _context(self) -> trace.SpanContext:  # type: ignore[override]  # a field of the API's class
        found: trace.SpanContext | None = vars(self).get("made")
        if found is None:
            made = span_context(self._trace_id, self._ids.generate_span_id(), NOT_SAMPLED)
            found = vars(self).setdefault("made", made)  # of two threads that ask first both get the same
        return found


class Entry:
    """One beginning: its ids, the decision, and what must be known if it is to leave a root span afterwards.

    `sampled` says whether all of it is recorded, `recorded` whether any of it is by now. A context manager, in whose
    block it is the current entry and its root span the current one, with nothing of what ran before in this task: no
    baggage, no other entry.
    """

    __slots__ = (
        "_context", "_error", "_facts", "_outer", "_reported", "_started_at", "_trace_id",
        "caller", "ended", "recorded", "root", "runtime", "sampled",
    )  # fmt: skip

    def __init__(self, caller: trace.SpanContext | None = None) -> None:
        """Decide; `caller` is the span of a trusted one."""
        runtime = current()
        self.runtime: Runtime = runtime
        self.caller: trace.SpanContext | None = caller
        self._trace_id: int = caller.trace_id if caller else runtime.ids.generate_trace_id()
        self.sampled: bool = (
            runtime.tracing
            and runtime.switches.tracing
            and (caller.trace_flags.sampled if caller else runtime.keeps_trace(self._trace_id))
        )
        self.root: trace.Span = trace.INVALID_SPAN if self.sampled else _Unrecorded(self._trace_id, runtime.ids)
        self._started_at = time.time_ns()
        self._facts: Mapping[str, AttributeValue] = _NO_FACTS
        self._error: str | None = None
        self._reported: str | None = None
        self.ended: bool = False
        self.recorded: bool = self.sampled

    def start(self, root: Root) -> None:
        """Start the root span, where the entry is sampled."""
        if self.sampled:
            self.root = self._begin(root, self.runtime.ids.generate_span_id())

    def __enter__(self) -> None:
        """Keep what was current: tokens to put it back by would live as long, and be more to collect as garbage."""
        self._outer, self._context = current_entry.get(), get_current()
        current_entry.set(self)
        attach(Context({_SPAN_KEY: self.root}))

    def __exit__(self, *_: object) -> None:
        """Put back what was current, unless this is another task's context: then there is nothing to put back."""
        if current_entry.get() is self:
            attach(self._context)
            current_entry.set(self._outer)
        del self._context, self._outer  # a task that began here may live on, and begin others

    def note(self, key: str, value: AttributeValue) -> None:
        """Keep an attribute for the root span."""
        if self.sampled:
            self.root.set_attribute(key, value)
        else:
            self._facts = {**self._facts, key: value}

    def fail(self, error_type: str) -> None:
        """Note that it failed; the first error names the kind."""
        self._error = self._error or error_type

    def report(self, error_type: str) -> None:
        """Note an error that was reported in it and did not make it fail: its trace must be found all the same."""
        self._reported = self._reported or error_type

    def end(
        self, describe: Callable[[], Root], record: Callable[[], None] = lambda: None, *, slow: bool = False
    ) -> None:
        """Have `record` record the metrics; the root span, if there is one, is current in it and then ends.

        `describe` is called where an entry that was not sampled leaves its root span after all.
        """
        self.ended = True
        if self.sampled:
            if self._error is not None:
                self.root.set_status(trace.StatusCode.ERROR, self._error)
            _end(self.root, record)
        elif (slow or self._error or self._reported) and self.runtime.tracing:
            self.recorded = True
            _end(self._late_root(describe()), record)
        else:
            record()

    def _begin(self, root: Root, span_id: int) -> trace.Span:
        """Start a root span that is recorded, under the ids that errors and log lines carry."""
        ids = span_context(self._trace_id, span_id, SAMPLED)
        return _begin_root(self.runtime, root, ids, self.caller, self._started_at)

    def _late_root(self, root: Root) -> trace.Span:
        span = self._begin(root, self.root.get_span_context().span_id)
        error = self._error or self._reported
        reason = {REASON: "error", "error.type": error} if error else {REASON: "slow"}
        span.set_attributes({**self._facts, **reason})
        if error is not None:
            span.set_status(trace.StatusCode.ERROR, error)
        return span


def _end(root: trace.Span, record: Callable[[], None]) -> None:
    token = None if current_span() is root else attach(Context({_SPAN_KEY: root}))
    try:
        record()
    finally:
        if token is not None:
            restore(token)
        root.end()


def _begin_root(
    runtime: Runtime, root: Root, ids: trace.SpanContext, caller: trace.SpanContext | None, started_at: int
) -> trace.Span:
    if not (runtime.switches.tracing and runtime.tracing):
        return trace.NonRecordingSpan(ids)
    return cast("LeanTracer", runtime.tracer).begin(root, ids, caller, started_at)


def stand_in(context: trace.SpanContext, error_type: str, attributes: Mapping[str, AttributeValue]) -> None:
    """Leave a span for an error whose own span has ended or is not recorded; it is a root where nothing else is."""
    runtime = current()
    root = Root("error", attributes={**attributes, "error.type": error_type, REASON: "error"})
    ids = span_context(context.trace_id, runtime.ids.generate_span_id(), SAMPLED)
    span = _begin_root(runtime, root, ids, context if context.trace_flags.sampled else None, time.time_ns())
    span.set_status(trace.StatusCode.ERROR, error_type)
    span.end()


def describe(key: str, value: AttributeValue) -> None:
    """Put an attribute on the current span; where it is not recorded, keep it for the root span."""
    span, entry = current_span(), current_entry.get()
    if span is not None and span.is_recording():
        span.set_attribute(key, value)
    elif entry is not None:
        entry.note(key, value)


@contextmanager
def root_span(root: Root) -> Iterator[trace.Span]:
    """Run the body as an entry of its own; an exception that leaves it fails it."""
    entry = Entry()
    entry.start(root)
    try:
        with entry:
            yield entry.root
    except BaseException as error:
        entry.fail(type(error).__name__)
        raise
    finally:
        entry.end(lambda: root)
