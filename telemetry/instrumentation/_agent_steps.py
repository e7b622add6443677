"""The spans of what a run does: its requests of a model and its calls of tools. Imports pydantic-ai, which is slow."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.trace import SpanKind, StatusCode
from pydantic_ai._instrumentation import (
    ContentPolicy,
    _model_request_span_captures,
    _model_response_span_captures,
    include_content_ctx,
    model_attributes,
    model_settings_attributes,
    record_exception,
    response_attributes,
    response_price_calculation,
)
from pydantic_ai._unsupported_settings import suppress_warnings
from pydantic_ai.capabilities.instrumentation import Instrumentation, _record_retry, _usage_response
from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, SkipToolExecution
from pydantic_ai.models._continuation import _segment_observers

from telemetry._guard import Guard

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from opentelemetry.trace import Span, Tracer
    from pydantic_ai import RunContext
    from pydantic_ai.messages import ModelResponse, ToolCallPart
    from pydantic_ai.models import ModelRequestContext
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.run import AgentRun

__all__ = ["StepSpans", "record_error"]

_recording = Guard("record what an agent does")


class StepSpans(Instrumentation):
    """pydantic-ai's own, in fewer steps where nothing is said of content, and not asked as a capability."""

    ids: dict[str, str]
    """Whose they are: the attributes that name the agent, its run and the conversation."""

    @classmethod
    async def of(cls, run: AgentRun[Any, Any], settings: InstrumentationSettings, ids: dict[str, str]) -> StepSpans:
        """Return those of one run."""
        state = run.ctx.state
        # What they ask of a run's context; to build one takes as long as a span does.
        context: Any = SimpleNamespace(
            agent=run.ctx.deps.agent,
            messages=state.message_history,
            run_id=state.run_id,
            conversation_id=state.conversation_id,
        )
        steps = cast("StepSpans", await cls(settings=settings).for_run(context))
        steps.ids = ids
        return steps

    async def request(
        self, request_context: ModelRequestContext, ask: Callable[[], Awaitable[ModelResponse]]
    ) -> ModelResponse:
        """Open the span of one request."""
        tracer = self.settings.tracer
        with tracer.start_as_current_span(
            f"chat {request_context.model.model_name}",
            kind=SpanKind.CLIENT,
            attributes={"gen_ai.operation.name": "chat", **self.ids},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            exchange = _Exchange(request_context, span)
            try:
                with exchange.followed(tracer):
                    response = await ask()
            except BaseException as error:
                if exchange.response is not None:  # served, and rejected after that
                    self._record_answer(exchange, exchange.response)
                record_error(span, error)
                raise
            self._record_answer(exchange, response)
            return response

    def _record_answer(self, exchange: _Exchange, response: ModelResponse) -> None:
        with _recording:
            exchange.describe(response)
            self._record_cache_health(exchange.context, response, exchange.segments)

    async def execute_tool(
        self, ctx: RunContext[Any], call: ToolCallPart, execute: Callable[[], Awaitable[Any]]
    ) -> Any:  # noqa: ANN401 - what the tool returns
        """Open the span of one call of a tool."""
        tool = {"gen_ai.tool.name": call.tool_name, "gen_ai.tool.call.id": call.tool_call_id}
        with self.settings.tracer.start_as_current_span(
            f"execute_tool {call.tool_name}",
            attributes={"gen_ai.operation.name": "execute_tool", **tool, **self.ids},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return await execute()
            except BaseException as error:
                self._record_failure(span, error, ctx)
                raise

    def _record_failure(self, span: Span, error: BaseException, ctx: RunContext[Any]) -> None:
        """Say why a tool returned nothing: it failed, or is to be asked again; to put it off or skip it is neither."""
        with _recording:
            if isinstance(error, CallDeferred | ApprovalRequired):
                span.set_attribute(self._instrumentation_names.tool_deferral_name_attr, type(error).__name__)
            elif not isinstance(error, SkipToolExecution):
                _record_retry(span, self._instrumentation_names, error, ctx)
                record_exception(span, error, include_content=False)
                span.set_status(StatusCode.ERROR)


class _Exchange:
    """A request and what came back; in context variables pydantic-ai says what was sent in the end, and what it got."""

    response: ModelResponse | None = None
    _first_chunk: float | None = None
    _asked = False

    def __init__(self, context: ModelRequestContext, span: Span) -> None:
        """Have sent nothing yet."""
        self.context, self._span = context, span
        self.segments: list[ModelResponse] = []

    @contextmanager
    def followed(self, tracer: Tracer) -> Generator[None, None, None]:
        """Be told what happens, and let a model that asks others find the span."""
        policy = include_content_ctx.set(ContentPolicy(self._span, False, tracer))
        sent = _model_request_span_captures.set((*_model_request_span_captures.get(), (self.context, self._send)))
        got = _model_response_span_captures.set((*_model_response_span_captures.get(), (self.context, self._receive)))
        parts = _segment_observers.set((*_segment_observers.get(), (self.context, self.segments.append)))
        try:
            yield
        finally:
            _segment_observers.reset(parts)
            _model_response_span_captures.reset(got)
            _model_request_span_captures.reset(sent)
            include_content_ctx.reset(policy)

    def _send(self, context: ModelRequestContext) -> ModelRequestContext:
        """Describe the model that is asked, and how, when all hooks have had their say."""
        with _recording:
            model, settings = context.model, context.model_settings
            attributes = model_attributes(model)
            if settings or model.settings:
                with suppress_warnings():  # the model gives them when it prepares the request to send it
                    settings, _ = model.prepare_request(settings, context.model_request_parameters)
                attributes |= model_settings_attributes(settings)
            self._span.set_attributes(attributes)
            self._asked = True
        return context

    def _receive(self, response: ModelResponse | None, time_to_first_chunk: float | None) -> None:
        self.response, self._first_chunk = response, time_to_first_chunk

    def describe(self, response: ModelResponse) -> None:
        """Describe what was answered, by the model that did."""
        if not self._asked:
            return
        billed = _usage_response(self.context) or response
        model = getattr(self._span, "attributes", {}).get("gen_ai.request.model")  # a model that asks others changes it
        name = billed.model_name or response.model_name or model
        found = response_attributes(billed, name, response_price_calculation(billed))
        if self._first_chunk is not None:
            found["gen_ai.client.operation.time_to_first_chunk"] = self._first_chunk
        self._span.set_attributes(found)
        self._span.update_name(f"chat {model}")


def record_error(span: Span, error: BaseException | None) -> None:
    """Record what ended a run or a request, of its kind only; a cancellation is no error."""
    if isinstance(error, Exception):
        record_exception(span, error, include_content=False, escaped=False)
        span.set_status(StatusCode.ERROR)
