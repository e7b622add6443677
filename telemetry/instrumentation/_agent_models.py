"""What the models of a run answer, counted at the border to the provider. Imports pydantic-ai, which is slow."""

from __future__ import annotations

import copy
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models.wrapper import WrapperModel

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from pydantic_ai import RunContext
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.run import AgentRun
    from pydantic_ai.settings import ModelSettings

__all__ = ["RunObserver"]

_attaching, _counting = Guard("observe an agent run"), Guard("count a model's answer")


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
