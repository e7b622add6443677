"""PydanticAI: its GenAI spans without content, and what a run took, used and cost.

Spans are those of pydantic-ai (`invoke_agent`, `chat MODEL`, `execute_tool`), content off. Metrics:
`agent_response_duration_seconds`, `agent_token_usage_total` and `agent_cost_usd_total`, counted from model responses
only, so that a run and the runs it delegates to never count the same token twice. Never recorded: prompts, answers,
tool arguments and results.

A run is `complex` when it called a tool or asked the model more than once, else `simple`.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

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

    restore_iter, restore_copy = patch(Agent, "iter", _wrap_iter), _copy_cheaply()
    default_before = Agent._instrument_default  # noqa: SLF001 - instrument_all() has no getter
    Agent.instrument_all(_content_free())

    def stop() -> None:
        Agent.instrument_all(default_before)
        restore_copy()
        restore_iter()

    return stop


def _copy_cheaply() -> Callable[[], None]:
    """Have a run's context copied for less: it is for each capability and border, 88 times with two tool calls.

    Those are pydantic-ai's own capabilities; it gives back what observing them takes.
    """
    from pydantic_ai.capabilities import combined  # noqa: PLC0415 - optional, and slow to import

    from telemetry.instrumentation._agent_runs import wrap_copy  # noqa: PLC0415

    if getattr(combined, "copy", None) is not copy.copy:
        return lambda: None
    return patch(combined, "copy", wrap_copy)


def _content_free() -> InstrumentationSettings:
    from telemetry.instrumentation._agent_runs import ContentFree  # noqa: PLC0415 - imports pydantic-ai

    return ContentFree(
        tracer_provider=current().tracer_provider,
        meter_provider=NoOpMeterProvider(),
        include_content=False,
        include_binary_content=False,
        include_model_request_parameters=False,
    )


def _wrap_iter(run_iter: Callable[..., Any]) -> Callable[..., Any]:
    from telemetry.instrumentation._agent_runs import observe  # noqa: PLC0415 - imports pydantic-ai

    def iter_observed(agent: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as pydantic-ai's
        run = run_iter(agent, *args, **kwargs)
        return run if current().is_off else observe(run, agent, kwargs.get("capabilities") or ())

    return iter_observed


_recording = Shared(_start)
