"""One agent run under way, observed from inside. Imports pydantic-ai, which is slow: import it where that is there."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.tools import RunContext

from telemetry import catalog
from telemetry._current_span import current_span
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import count_error
from telemetry.instrumentation._agent_models import RunObserver

try:
    from telemetry.instrumentation._agent_spans import RunSpans, takes_over
except ImportError:  # of a pydantic-ai to come: its own spans say the same, for more
    from telemetry.instrumentation._agent_spans_stock import RunSpans, takes_over  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from pydantic_ai import Agent
    from pydantic_ai.run import AgentRun

__all__ = ["ContentFree", "observe"]

_attaching, _finishing = Guard("observe an agent run"), Guard("finish an agent run")


@asynccontextmanager
async def observe(
    agent_run: AbstractAsyncContextManager[AgentRun[Any, Any]],
    agent: Agent[Any, Any],
    capabilities: Iterable[object] = (),
) -> AsyncGenerator[AgentRun[Any, Any], None]:
    """Run an agent, retries and tools included, and record what that took.

    Not by a capability of pydantic-ai, which is asked at each of a run's two dozen borders: that alone took a quarter
    of the processor time of a run with two tool calls.
    """
    start = time.perf_counter()
    with RunSpans(agent, capabilities) as spans:
        async with agent_run as run:
            observer = RunObserver()
            try:
                with current().in_flight.track("agent", agent.name or "agent"):
                    with _attaching:
                        await spans.attach(run)
                    observer.attach(run)
                    with spans.counted:
                        yield run
            except Exception as error:
                if _failed_itself(run):
                    count_error(error, "agent")
                raise
            finally:
                with _finishing:
                    labels = {"model": run.ctx.deps.model.model_name, "complexity": observer.complexity}
                    current().instruments.record(catalog.AGENT_RESPONSE_DURATION, time.perf_counter() - start, labels)


def _failed_itself(run: AgentRun[Any, Any]) -> bool:
    """Tell whether a step of the run has failed; else it was the application, which had its turn between two steps."""
    try:
        run.next_node  # noqa: B018 - raises what the last step raised
    except Exception:  # noqa: BLE001
        return True
    return False


class ContentFree(InstrumentationSettings):
    """What pydantic-ai's spans say: nothing of messages, not even how many there are of which kind.

    That would not leave the process anyway (`telemetry.allowed`), and to write it down takes longer with each turn.
    """

    def __bool__(self) -> bool:
        """Tell whether traces are, and the current span is recorded, or there is none and a run begins a trace.

        Else a run would make and fill spans for nobody.
        """
        runtime = current()
        if not (runtime.tracing and runtime.switches.tracing):
            return False
        span = current_span()
        recorded = span is None or span.is_recording() or not span.get_span_context().is_valid
        return recorded and not takes_over(self)

    def messages_to_otel_messages(self, *_: object, **__: object) -> list[Any]:
        """Say nothing of a run's messages."""
        return []

    def handle_messages(self, *_: object, **__: object) -> None:
        """Say nothing of a request's messages."""


def wrap_copy(copy_any: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return what copies a run's context as `copy.copy` does, in one call where that goes by way of pickle in 19."""

    def copy_context(context: Any) -> Any:  # noqa: ANN401 - a RunContext
        if type(context) is not RunContext:
            return copy_any(context)
        copied = object.__new__(RunContext)
        vars(copied).update(vars(context))
        return copied

    return copy_context
