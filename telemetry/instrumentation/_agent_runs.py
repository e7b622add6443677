"""One agent run under way, observed from inside. Imports pydantic-ai, which is slow: import it where that is there."""

from __future__ import annotations

import copy
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.tools import RunContext

from telemetry import catalog
from telemetry._current_span import current_span
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import count_error
from telemetry.instrumentation._agent_spans import RunSpans, takes_over

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.run import AgentRun
    from pydantic_ai.settings import ModelSettings

__all__ = ["ContentFree", "observe"]

_attaching, _finishing = Guard("observe an agent run"), Guard("finish an agent run")
_counting = Guard("count a model's answer")


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
                    with spans.usage():
                        yield run
            except Exception as error:
                if _failed_itself(run):
                    count_error(error, "agent")
                raise
            finally:
                with _finishing:
                    labels = {"model": run.ctx.deps.model.model_name, "complexity": observer.complexity}
                    current().instruments.record(catalog.AGENT_RESPONSE_DURATION, time.perf_counter() - start, labels)


class RunObserver:
    """Counts what the models of one run answer."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self._requests = self._tool_calls = 0

    @property
    def complexity(self) -> str:
        """What kind of run it is by now."""
        return "complex" if self._tool_calls or self._requests > 1 else "simple"

    def attach(self, run: AgentRun[Any, Any]) -> None:
        """Count at the border to the provider: each attempt, also one that is rejected, or not read to its end.

        The run asks its root capability for the model to use; several runs may share that, so this one gets a copy.
        """
        with _attaching:
            root = copy.copy(run.ctx.deps.root_capability)
            model_of = root.get_wrapper_model
            root.get_wrapper_model = lambda model: CountingModel(model_of(model) or model, self)  # type: ignore[method-assign]
            run.ctx.deps.root_capability = root

    def count(self, response: ModelResponse, model: str) -> None:
        """Count the tokens and the cost of one answer."""
        with _counting:
            self._requests += 1
            self._tool_calls += sum(isinstance(part, ToolCallPart) for part in response.parts)
            _count(response, model)


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


class CountingModel(WrapperModel):
    """A model whose every answer is counted."""

    def __init__(self, wrapped: Model, observer: RunObserver) -> None:
        """Send requests through `wrapped`."""
        super().__init__(wrapped)
        self._observer = observer

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Ask the model."""
        response = await self.wrapped.request(messages, model_settings, model_request_parameters)
        self._observer.count(response, self._name(response))
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse, None]:
        """Ask the model for its answer piece by piece; what came is counted when the stream ends, however it ends."""
        start = time.perf_counter()
        request = (messages, model_settings, model_request_parameters, run_context)
        async with self.wrapped.request_stream(*request) as stream:
            try:
                yield stream
            finally:
                response = stream.get()
                name = self._name(response)
                self._observer.count(response, name)
                first = stream.time_to_first_chunk(start)
                if first is not None:
                    current().instruments.record(catalog.AGENT_TIME_TO_FIRST_TOKEN, first, {"model": name})

    def _name(self, response: ModelResponse) -> str:
        """Return the model that answered: of a chain of fallbacks the one that did, else the one that was asked."""
        asked = self.wrapped.model_name
        return response.model_name or asked if asked.startswith("fallback:") else asked


def _count(response: ModelResponse, model: str) -> None:
    labels = {"provider": response.provider_name or catalog.OTHER, "model": model}
    usage, instruments = response.usage, current().instruments
    instruments.add(catalog.AGENT_TOKENS, usage.input_tokens, {**labels, "type": "input"})
    instruments.add(catalog.AGENT_TOKENS, usage.output_tokens, {**labels, "type": "output"})
    instruments.add(catalog.AGENT_CACHED_TOKENS, usage.cache_read_tokens, {**labels, "type": "read"})
    instruments.add(catalog.AGENT_CACHED_TOKENS, usage.cache_write_tokens, {**labels, "type": "write"})
    cost = _cost(response)
    instruments.add(catalog.AGENT_COST_UNKNOWN, 1 if cost is None else 0, labels)
    if cost is not None:
        instruments.add(catalog.AGENT_COST, cost, labels)


def _cost(response: ModelResponse) -> float | None:
    """Return the list price of an answer in US dollars, None where the price list does not know the model.

    The price stays in the answer, where pydantic-ai would put it a moment later: to look it up takes up to a
    millisecond, and it leaves alone what is there, as a gateway's own price.
    """
    usage = response.usage
    if usage.cost is None:
        try:
            usage.cost = response.cost().total_price
        except (LookupError, ValueError, AssertionError):
            return None
    return float(usage.cost)
