"""One agent run under way, observed from inside. Imports pydantic-ai, which is slow: import it where that is there."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models.wrapper import WrapperModel

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import count_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.run import AgentRunResult
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.tools import RunContext

__all__ = ["RunObserver"]

_counting, _finishing = Guard("count a model's answer"), Guard("finish an agent run")


@dataclass
class RunObserver(AbstractCapability[Any]):
    """Measures one run; pydantic-ai calls it at the run's borders and asks it for the model to use."""

    _requests: int = field(default=0, init=False)
    _tool_calls: int = field(default=0, init=False)

    async def wrap_run(
        self, ctx: RunContext[Any], *, handler: Callable[[], Awaitable[AgentRunResult[Any]]]
    ) -> AgentRunResult[Any]:
        """Measure the whole run, retries and tools included."""
        start = time.perf_counter()
        try:
            with current().in_flight.track("agent", ctx.agent.name if ctx.agent and ctx.agent.name else "agent"):
                return await handler()
        except Exception as error:
            count_error(error, "agent")
            raise
        finally:
            with _finishing:
                complexity = "complex" if self._tool_calls or self._requests > 1 else "simple"
                labels = {"model": ctx.model.model_name, "complexity": complexity}
                current().instruments.record(catalog.AGENT_RESPONSE_DURATION, time.perf_counter() - start, labels)

    def get_wrapper_model(self, model: Model) -> Model:
        """Count at the border to the provider: each attempt, also one that is rejected, or not read to its end."""
        return CountingModel(model, self)

    def count(self, response: ModelResponse, model: str) -> None:
        """Count the tokens and the cost of one answer."""
        with _counting:
            self._requests += 1
            self._tool_calls += sum(isinstance(part, ToolCallPart) for part in response.parts)
            _count(response, model)


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
        response = await super().request(messages, model_settings, model_request_parameters)
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
        async with super().request_stream(messages, model_settings, model_request_parameters, run_context) as stream:
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
    """Return the list price of an answer in US dollars, None where the price list does not know the model."""
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None
