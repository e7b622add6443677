"""The span of an agent's run, and where those of its requests and tools are opened: around pydantic-ai, not within.

As a capability of the run, which is how pydantic-ai opens them, it is asked at each of two dozen borders, the context
is copied for each, and it is sorted among the others whenever a run starts: more work than the spans are. So
pydantic-ai is told that a run is not instrumented, and the run's root capability is exchanged for one that opens the
same spans at the same borders.

Imports pydantic-ai, which is slow: import it where that is there.
"""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.baggage import _BAGGAGE_KEY
from opentelemetry.trace.propagation import _SPAN_KEY
from pydantic_ai import _usage_attribution
from pydantic_ai.capabilities.instrumentation import Instrumentation
from pydantic_ai.exceptions import RunCancelled

from telemetry._current_span import attach, restore, with_entries
from telemetry._guard import Guard
from telemetry.instrumentation._agent_borders import with_spans
from telemetry.instrumentation._agent_steps import StepSpans, record_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from pydantic_ai import Agent
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.run import AgentRun

    _replay: Callable[[], object]

try:
    from pydantic_ai._durable_replay import snapshot as _replay
except ImportError:  # the oldest we support replays nothing

    def _replay() -> object:
        return None


__all__ = ["RunSpans", "takes_over"]

_beginning, _ending = Guard("begin an agent's span"), Guard("end an agent's span")
_starting: ContextVar[RunSpans | None] = ContextVar("telemetry_starting_run", default=None)


def takes_over(settings: InstrumentationSettings) -> bool:
    """Tell whether the spans are ours to open, and begin the run's; pydantic-ai asks as it begins to start a run.

    It asks of what is no run as well, a realtime session or a request beside any, and what a durable run has replayed
    from its journal must not be recorded twice: to these it sees itself.
    """
    spans = _starting.get()
    if spans is None:
        return False
    with _beginning:
        return _replay() is None and spans.begin(settings)
    return False


class RunSpans:
    """The span of one run, which is begun when pydantic-ai asks for it; else there is none."""

    counted: AbstractContextManager[None] = nullcontext()
    """In which the run is counted as the one that uses tokens, apart from those that it delegates to."""
    _span: Span | None = None
    _steps: StepSpans | None = None

    def __init__(self, agent: Agent[Any, Any], capabilities: Iterable[object] = ()) -> None:
        """Begin nothing yet, of a run that gets these capabilities beside its agent's."""
        self._agent, self._capabilities = agent, capabilities

    def __enter__(self) -> Self:
        """Wait to be asked."""
        _starting.set(self)
        return self

    def begin(self, settings: InstrumentationSettings) -> bool:
        """Begin the span and make it the current one, unless the application has this run instrumented its own way."""
        _starting.set(None)
        capabilities = (*self._agent.root_capability.capabilities, *self._capabilities)
        if any(isinstance(each, Instrumentation) for each in capabilities):
            return False
        self._settings, self._name = settings, self._agent.name or "agent"
        name = {"agent_name": self._name, "gen_ai.agent.name": self._name}
        attributes = {"gen_ai.operation.name": "invoke_agent", **name}
        self._span = settings.tracer.start_span(f"invoke_agent {self._name}", attributes=attributes)
        self._token: Token[Context] = attach(with_entries({_SPAN_KEY: self._span}))
        return True

    async def attach(self, run: AgentRun[Any, Any]) -> None:
        """Open the spans of the run's requests and tools, now that it has started."""
        _starting.set(None)
        deps, state = run.ctx.deps, run.ctx.state
        if self._span is None or not self._span.is_recording() or deps.instrumentation_settings is not None:
            return
        ids = {"gen_ai.agent.call.id": state.run_id, "gen_ai.conversation.id": state.conversation_id}
        # What was said of it at its start stays, as by who knows its conversation.
        said = getattr(self._span, "attributes", None) or {}
        self._span.set_attributes({"model_name": deps.model.model_name, **ids, **said})
        if state.message_history:
            self._span.set_attribute("pydantic_ai.new_message_index", len(state.message_history))
        ids = {"gen_ai.agent.name": self._name, **ids}
        self._steps = steps = await StepSpans.of(run, self._settings, ids)
        attach(with_entries({_BAGGAGE_KEY: ids}))
        deps.tracer, deps.display_banner = self._settings.tracer, None  # as of a run that is instrumented
        deps.root_capability = deps.tool_manager.root_capability = with_spans(deps.root_capability, steps)
        self.counted = _usage_attribution.accumulate(steps._run_usage)  # noqa: SLF001

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the span, with the error that ended the run; one that was cancelled did not fail."""
        _starting.set(None)
        if self._span is None:
            return
        restore(self._token)
        with _ending:
            if not isinstance(error, RunCancelled):
                record_error(self._span, error)
            if self._steps is not None:
                used = self._steps._run_usage  # noqa: SLF001
                self._span.set_attributes(self._settings.aggregated_usage_attributes(used))
        self._span.end()
