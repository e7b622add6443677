"""Spans of our own instrumentations, of `telemetry.get_tracer()` and of pydantic-ai: the SDK's in all that is seen.

The SDK's span holds a lock, cleans each attribute as it is set and is copied when it ends. This one is a plain object
that is not changed any more once it has ended. Processors, exporters and Sentry read it as any `ReadableSpan`; spans of
other tracers are the SDK's own.

https://opentelemetry.io/docs/specs/otel/trace/sdk/
"""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    DEFAULT_TRACE_STATE,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)
from opentelemetry.trace.propagation import _SPAN_KEY

from telemetry._current_span import CurrentSpan, current_span
from telemetry.sampling import SwitchedSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Span
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Link
    from opentelemetry.util.types import Attributes, AttributeValue

    from telemetry.entry import Root

__all__ = ["NOT_SAMPLED", "SAMPLED", "LeanSpan", "LeanTracer", "LeanTracerProvider", "span_context"]

NAME = "telemetry"
_LEAN_LIBRARIES = frozenset({"pydantic-ai"})
SAMPLED, NOT_SAMPLED = TraceFlags(TraceFlags.SAMPLED), TraceFlags.get_default()
_UNSET = Status(StatusCode.UNSET)
_NO_PARENT = (0, 0, False, NOT_SAMPLED, DEFAULT_TRACE_STATE, False)
_IS_TUPLE_OF_SIX = tuple(SpanContext(1, 2, False)) == (1, 2, False, NOT_SAMPLED, DEFAULT_TRACE_STATE, True)
_Fields = tuple[int, int, bool, TraceFlags, TraceState | None, bool]


def span_context(
    trace_id: int, span_id: int, flags: TraceFlags, state: TraceState | None = DEFAULT_TRACE_STATE
) -> SpanContext:
    """Return the context of a span of ours, whose ids are valid: not to ask whether they are saves 1 us a span."""
    if not _IS_TUPLE_OF_SIX:
        return SpanContext(trace_id, span_id, False, flags, state)
    state = DEFAULT_TRACE_STATE if state is None else state
    return tuple.__new__(SpanContext, (trace_id, span_id, False, flags, state, True))


def _named_fields(ids: SpanContext) -> _Fields:
    return ids.trace_id, ids.span_id, ids.is_remote, ids.trace_flags, ids.trace_state, ids.is_valid


_fields = cast("Callable[[SpanContext], _Fields]", tuple if _IS_TUPLE_OF_SIX else _named_fields)
"""To ask a context for each of them is six calls for each span."""


class LeanSpan(ReadableSpan, trace.Span):
    """One span; it sets the fields of `ReadableSpan`, as the SDK's own span does, those that most leave alone by class.

    https://github.com/open-telemetry/opentelemetry-python/blob/v1.45.1/opentelemetry-sdk/src/opentelemetry/sdk/trace/__init__.py#L396
    """

    _instrumentation_info = None
    _events: Sequence[Event] = ()
    _links: Sequence[Link] = ()
    _context: SpanContext
    _status = _UNSET
    _end_time: int | None = None
    _left_out = 0

    def __init__(  # noqa: PLR0913, PLR0917 - what a span is from its start
        self,
        provider: LeanTracerProvider,
        scope: InstrumentationScope,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        start_time: int | None,
    ) -> None:
        """Start now, or at `start_time`, in nanoseconds since 1970."""
        self._provider = provider
        self._name, self._context, self._instrumentation_scope = name, context, scope
        self._parent, self._kind = parent, kind
        self._start_time: int = start_time if start_time is not None else time.time_ns()
        self._resource: Resource = provider._resource  # noqa: SLF001 - of a subclass; its property is a call
        self._attributes: dict[str, Any] = {}

    def get_span_context(self) -> SpanContext:
        """Return its ids."""
        return self._context

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were past the limit."""
        return self._left_out

    def is_recording(self) -> bool:
        """Tell whether it has not ended."""
        return self._end_time is None

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute; past the limit of their number it is left out, a longer text is cut."""
        if self._end_time is None and value is not None:
            self._put(key, _fitting(value, self._provider.limits.max_span_attribute_length))

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several."""
        if self._end_time is not None:
            return
        limits, kept = self._provider.limits, self._attributes
        length, most = limits.max_span_attribute_length, limits.max_span_attributes
        all_fit = most is None or len(kept) + len(attributes) <= most
        for key, value in attributes.items():
            if all_fit and (type(value) is int or (type(value) is str and (length is None or len(value) <= length))):
                kept[key] = value
            elif value is not None:
                self._put(key, _fitting(value, length))

    def _put(self, key: str, value: Any) -> None:  # noqa: ANN401 - text, number, truth, or several of them
        most = self._provider.limits.max_span_attributes
        if most is not None and len(self._attributes) >= most and key not in self._attributes:
            self._left_out += 1
        else:
            self._attributes[key] = value

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event."""
        limits = self._provider.limits
        if self._end_time is None and (limits.max_events is None or len(self._events) < limits.max_events):
            kept = _limited(attributes, limits.max_event_attributes, limits.max_attribute_length)
            self._events = [*self._events, Event(name, kept, timestamp or time.time_ns())]

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link."""
        limits = self._provider.limits
        if self._end_time is None and (limits.max_links is None or len(self._links) < limits.max_links):
            kept = _limited(attributes, limits.max_link_attributes, limits.max_attribute_length)
            self._links = [*self._links, trace.Link(context, kept)]

    def update_name(self, name: str) -> None:
        """Give it another name."""
        if self._end_time is None:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Say how it went; once it was said that all is well, nothing changes that."""
        found = status if isinstance(status, Status) else Status(status, description)
        if self._end_time is None and not found.is_unset and self._status.status_code is not StatusCode.OK:
            self._status = found

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Add an exception as an event."""
        kind = type(exception)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        found: dict[str, Any] = {
            "exception.type": name,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", found | dict(attributes or {}), timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End it; a second time nothing happens."""
        if self._end_time is None:
            self._end_time = end_time if end_time is not None else time.time_ns()
            for on_end in self._provider.on_end:
                on_end(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        """End it, with the error that left the block."""
        if error is not None and self._end_time is None:
            self.record_exception(error)
            self.set_status(StatusCode.ERROR, type(error).__name__)
        super().__exit__(kind, error, stack)


class LeanTracer(trace.Tracer):
    """Starts spans as the SDK's tracer does."""

    def __init__(self, provider: LeanTracerProvider, scope: InstrumentationScope) -> None:
        """Ask the provider for everything: in a forked child some of it is another."""
        self._provider = provider
        self._scope = scope

    def start_span(  # noqa: PLR0913, PLR0917 - the API's parameters
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace.Span:
        """Start a span, in the current one unless `context` says otherwise."""
        del record_exception, set_status_on_exception  # which are for whoever makes it current
        provider = self._provider
        current: trace.Span | None = current_span() if context is None else context.get(_SPAN_KEY)  # type: ignore[assignment]
        parent: SpanContext | None = None if current is None else current.get_span_context()
        trace_id, _, is_remote, flags, state, is_valid = _NO_PARENT if parent is None else _fields(parent)
        if not is_valid:
            parent, trace_id = None, provider.id_generator.generate_trace_id()
        sampler = provider.sampler
        if is_valid and not is_remote and isinstance(sampler, SwitchedSampler) and sampler.follows_parents:
            sampled = bool(flags & TraceFlags.SAMPLED)
        else:
            decided = sampler.should_sample(context, trace_id, name)
            sampled, state = decided.decision is not Decision.DROP, decided.trace_state
        ids = span_context(
            trace_id, provider.id_generator.generate_span_id(), SAMPLED if sampled else NOT_SAMPLED, state
        )
        if not sampled:
            return NonRecordingSpan(ids)
        span = LeanSpan(provider, self._scope, name, ids, parent, kind, start_time)
        return self._started(span, attributes, links, context)

    def begin(self, root: Root, ids: SpanContext, parent: SpanContext | None, start_time: int) -> LeanSpan:
        """Start a span under ids that were chosen, and are recorded, whatever a sampler would say."""
        span = LeanSpan(self._provider, self._scope, root.name, ids, parent, root.kind, start_time)
        context = Context({_SPAN_KEY: NonRecordingSpan(parent)} if parent else {})
        return self._started(span, root.attributes, root.links, context)

    def _started(
        self, span: LeanSpan, attributes: Attributes, links: Sequence[Link] | None, context: Context | None
    ) -> LeanSpan:
        for link in links or ():
            span.add_link(link.context, link.attributes)
        if attributes:
            span.set_attributes(attributes)
        for on_start in self._provider.on_start:
            on_start(span, context)  # type: ignore[arg-type]  # what others see of it is the SDK's
        return span

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0913, PLR0917 - the API's; ours is no generator
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> CurrentSpan:
        """Start a span and make it the current one of the block, or of the function that this decorates."""
        start = (name, context, kind, attributes, links, start_time)
        return CurrentSpan(self.start_span, start, record_exception, set_status_on_exception, end_on_exit)


class LeanTracerProvider(TracerProvider):
    """The SDK's provider, with lean spans for the tracer of our name and for libraries that we instrument."""

    def __init__(
        self, sampler: Sampler, resource: Resource, ids: IdGenerator, limits: SpanLimits | None = None
    ) -> None:
        """Record what the sampler says; limits are those of the environment unless they are given."""
        self.limits: SpanLimits = limits or SpanLimits()
        self.on_start: list[Callable[[Span, Context | None], None]] = []
        self.on_end: list[Callable[[ReadableSpan], None]] = []
        super().__init__(sampler, resource, shutdown_on_exit=False, id_generator=ids, span_limits=self.limits)
        self._lean = LeanTracer(self, InstrumentationScope(NAME, ""))

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Let a processor see every span."""
        super().add_span_processor(span_processor)
        if type(span_processor).on_start is not SpanProcessor.on_start:
            self.on_start.append(span_processor.on_start)
        if type(span_processor).on_end is not SpanProcessor.on_end:
            # Lean spans are recorded, all of them: who would ask each of them need not.
            self.on_end.append(getattr(span_processor, "hold", span_processor.on_end))

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """Return a tracer."""
        name, version = instrumenting_module_name, instrumenting_library_version
        if name == NAME and not (version or schema_url or attributes):
            return self._lean
        if name in _LEAN_LIBRARIES:
            return LeanTracer(self, InstrumentationScope(name, version, schema_url, attributes))
        return super().get_tracer(name, version, schema_url, attributes)


def _limited(attributes: Attributes, most: int | None, length: int | None) -> dict[str, Any]:
    kept = list((attributes or {}).items())[:most]
    return {key: _fitting(value, length) for key, value in kept}


def _fitting(value: Any, limit: int | None) -> Any:  # noqa: ANN401 - text, number, truth, or several of them
    if isinstance(value, str):
        return value if limit is None or len(value) <= limit else value[:limit]
    if isinstance(value, (bool, int, float, bytes)):
        return value
    return tuple(_fitting(item, limit) for item in value)
