"""A run's root capability with spans at four of its borders. Imports pydantic-ai, which is slow."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_ai.capabilities.abstract import AbstractCapability
from pydantic_ai.exceptions import ModelRetry

if TYPE_CHECKING:
    from pydantic_ai import RunContext
    from pydantic_ai.capabilities.abstract import (
        RawToolArgs,
        ValidatedToolArgs,
        WrapModelRequestHandler,
        WrapOutputProcessHandler,
        WrapToolExecuteHandler,
    )
    from pydantic_ai.messages import ModelResponse, ToolCallPart
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.output import OutputContext
    from pydantic_ai.tools import ToolDefinition

    from telemetry.instrumentation._agent_steps import StepSpans

__all__ = ["with_spans"]


def with_spans(root: AbstractCapability[Any], steps: StepSpans) -> _WithSpans:
    """Return the capability with the spans around it; several runs may share it, so it stays as it is."""
    made: _WithSpans = object.__new__(_kind_with_spans(type(root)))
    vars(made).update(vars(root), _steps=steps)
    return made


@cache
def _kind_with_spans(kind: type[AbstractCapability[Any]]) -> type[_WithSpans]:
    return type(kind.__name__, (_WithSpans, kind), {})


class _WithSpans(AbstractCapability[Any]):
    """Before a run's root capability in the order of methods: the spans are outermost, as pydantic-ai's own are."""

    _steps: StepSpans

    @property
    def _has_wrap_model_request(self) -> bool:
        return True

    async def wrap_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, handler: WrapModelRequestHandler
    ) -> ModelResponse:
        inner = super().wrap_model_request
        return await self._steps.request(
            request_context, lambda: inner(ctx, request_context=request_context, handler=handler)
        )

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: ValidatedToolArgs,
        handler: WrapToolExecuteHandler,
    ) -> Any:  # noqa: ANN401 - what the tool returns
        inner = super().wrap_tool_execute
        return await self._steps.execute_tool(
            ctx, call, lambda: inner(ctx, call=call, tool_def=tool_def, args=args, handler=handler)
        )

    async def wrap_output_process(
        self,
        ctx: RunContext[Any],
        *,
        output_context: OutputContext,
        output: Any,  # noqa: ANN401
        handler: WrapOutputProcessHandler,
    ) -> Any:  # noqa: ANN401
        inner = super().wrap_output_process
        return await self._steps.wrap_output_process(
            ctx,
            output_context=output_context,
            output=output,
            handler=lambda output: inner(ctx, output_context=output_context, output=output, handler=handler),
        )

    async def on_tool_validate_error(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: RawToolArgs,
        error: ValidationError | ModelRetry,
    ) -> ValidatedToolArgs:
        try:
            return await super().on_tool_validate_error(ctx, call=call, tool_def=tool_def, args=args, error=error)
        except (ValidationError, ModelRetry) as left:
            return await self._steps.on_tool_validate_error(ctx, call=call, tool_def=tool_def, args=args, error=left)
