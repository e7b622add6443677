"""PydanticAI: its own GenAI spans without content, and what a run took, used and cost.

Spans are pydantic-ai's (`invoke_agent`, `chat MODEL`, `execute_tool`), content off. Metrics:
`agent_response_duration_seconds`, `agent_token_usage_total` and `agent_cost_usd_total`, counted from model responses
only, so that a run and the runs it delegates to never count the same token twice. Never recorded: prompts, answers,
tool arguments and results.

A run is `complex` when it called a tool or asked the model more than once, else `simple`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider

from telemetry._extras import require
from telemetry._runtime import current
from telemetry.instrumentation._handle import Handle, Shared, patch

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_ai.models.instrumented import InstrumentationSettings

__all__ = ["instrument_pydantic_ai"]


def instrument_pydantic_ai() -> Handle:
    """Record every agent run in this process; raises `MissingExtraError` without pydantic-ai."""
    require("pydantic_ai", feature="instrument_pydantic_ai", extra="pydantic-ai")
    return _recording.acquire()


def _start() -> Callable[[], None]:
    from pydantic_ai import Agent  # noqa: PLC0415 - optional, and slow to import

    restore_iter = patch(Agent, "iter", _wrap_iter)
    default_before = Agent._instrument_default  # noqa: SLF001 - instrument_all() has no getter
    Agent.instrument_all(_content_free())

    def stop() -> None:
        Agent.instrument_all(default_before)
        restore_iter()

    return stop


def _content_free() -> InstrumentationSettings:
    from pydantic_ai.models.instrumented import InstrumentationSettings  # noqa: PLC0415 - optional

    class ContentFree(InstrumentationSettings):
        """Settings that are none in a trace that is not recorded: a run there would make and fill spans for nobody."""

        def __bool__(self) -> bool:
            """Tell whether the current span is recorded, or there is none and a run begins a trace."""
            span = trace.get_current_span()
            return span.is_recording() or not span.get_span_context().is_valid

    return ContentFree(
        tracer_provider=current().tracer_provider,
        meter_provider=NoOpMeterProvider(),
        include_content=False,
        include_binary_content=False,
        include_model_request_parameters=False,
    )


def _wrap_iter(run_iter: Callable[..., Any]) -> Callable[..., Any]:
    from telemetry.instrumentation._agent_runs import RunObserver  # noqa: PLC0415 - imports pydantic-ai

    def iter_observed(agent: Any, *args: Any, capabilities: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401
        return run_iter(agent, *args, capabilities=[*(capabilities or ()), RunObserver()], **kwargs)

    return iter_observed


_recording = Shared(_start)
