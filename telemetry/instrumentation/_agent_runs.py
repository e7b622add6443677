"""One agent run under way, observed from inside. Imports pydantic-ai, which is slow: import it where that is there."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ToolCallPart

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import count_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.run import AgentRunResult
    from pydantic_ai.tools import RunContext

__all__ = ["RunObserver"]

_counting, _finishing = Guard("count a model's answer"), Guard("finish an agent run")


@dataclass
class RunObserver(AbstractCapability[Any]):
    """Measures one run; pydantic-ai calls it at the run's borders and after each answer of the model."""

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

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        """Count the tokens and the cost of one answer."""
        del request_context
        with _counting:
            self._requests += 1
            self._tool_calls += sum(isinstance(part, ToolCallPart) for part in response.parts)
            _count(response, ctx.model.model_name)
        return response


def _count(response: ModelResponse, model: str) -> None:
    labels = {"provider": response.provider_name or catalog.OTHER, "model": model}
    instruments = current().instruments
    instruments.add(catalog.AGENT_TOKENS, response.usage.input_tokens, {**labels, "type": "input"})
    instruments.add(catalog.AGENT_TOKENS, response.usage.output_tokens, {**labels, "type": "output"})
    cost = _cost(response)
    if cost is not None:
        instruments.add(catalog.AGENT_COST, cost, labels)


def _cost(response: ModelResponse) -> float | None:
    """Return the list price of an answer in US dollars, None where the price list does not know the model."""
    try:
        return float(response.cost().total_price)
    except (LookupError, ValueError, AssertionError):
        return None
