"""pydantic-ai's own instrumentation on the SDK's spans beside ours: the same spans, as they may be exported."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

import pytest
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai import Agent, ModelRetry, RunContext, ToolOutput
from pydantic_ai.capabilities import combined
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.usage import RequestUsage

import telemetry
from telemetry._clean_spans import clean_spans
from tests.conftest import Recorded

Seen = tuple[str, str, str | None, str, dict[str, Any], list[tuple[str, dict[str, Any]]]]
"""Name, kind, the parent's name, status, attributes, events."""

CHANGES = {"gen_ai.agent.call.id", "gen_ai.conversation.id", "gen_ai.tool.call.id", "exception.stacktrace"}
"""Another one in each run."""


def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Call each tool once, then answer; call it again where it is asked to."""
    last = messages[-1].parts
    usage = RequestUsage(input_tokens=100, output_tokens=10, cache_read_tokens=50)
    called = any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts)
    again = any(isinstance(part, RetryPromptPart) for part in last)
    tools = [*info.function_tools, *info.output_tools]
    if tools and (again or not called):
        return ModelResponse([ToolCallPart(tool.name, {}) for tool in tools], usage=usage, model_name="gpt-4o")
    return ModelResponse([TextPart("an answer")], usage=usage, model_name="gpt-4o", provider_name="openai")


def refuse(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
    raise RuntimeError("overloaded")


async def answer_in_pieces(messages: list[ModelMessage], info: AgentInfo) -> Any:
    if info.function_tools and not any(isinstance(part, ToolReturnPart) for part in messages[-1].parts):
        yield {0: DeltaToolCall(name=info.function_tools[0].name, json_args="{}")}
    else:
        yield "an "
        yield "answer"


def an_agent(model: Callable[..., Any] = answer, **more: Any) -> Agent[None, Any]:
    return Agent(FunctionModel(model, model_name="gpt-4o"), name="coach", **more)


def with_tool(tool: Callable[..., Any], **more: Any) -> Agent[None, Any]:
    agent = an_agent(**more)
    agent.tool(tool)
    return agent


def works(_: RunContext[None]) -> str:
    return "found"


def fails(_: RunContext[None]) -> str:
    raise ValueError("no such food")


def wants_another_try(context: RunContext[None]) -> str:
    if context.retry == 0:
        raise ModelRetry("which food?")
    return "found"


def always_wants_another_try(_: RunContext[None]) -> str:
    raise ModelRetry("which food?")


async def delegates(_: RunContext[None]) -> str:
    return str((await an_agent(instructions="Be short.").run("and this?")).output)


def total(grams: int = 1) -> int:
    return grams


async def streamed(agent: Agent[None, Any]) -> None:
    async with agent.run_stream("hello") as result:
        async for _ in result.stream_text():
            pass


async def step_by_step(agent: Agent[None, Any]) -> None:
    async with agent.iter("hello") as run:
        async for _ in run:
            pass


async def run(agent: Agent[None, Any]) -> None:
    await agent.run("hello")


def in_pieces() -> Agent[None, Any]:
    model = FunctionModel(answer, stream_function=answer_in_pieces, model_name="gpt-4o")
    agent: Agent[None, Any] = Agent(model, name="coach")
    agent.tool(works)
    return agent


def with_fallback() -> Agent[None, Any]:
    first, second = FunctionModel(refuse, model_name="first"), FunctionModel(answer, model_name="second")
    return Agent(FallbackModel(first, second, fallback_on=(RuntimeError,)), name="coach")


CASES: dict[str, tuple[Callable[[], Agent[None, Any]], Callable[[Agent[None, Any]], Any]]] = {
    "a text": (an_agent, run),
    "settings and instructions": (
        lambda: an_agent(instructions="Be short.", model_settings={"temperature": 0.5, "max_tokens": 100}), run,
    ),
    "a tool": (lambda: with_tool(works), run),
    "a tool that fails": (lambda: with_tool(fails), run),
    "a tool that wants another try": (lambda: with_tool(wants_another_try), run),
    "a tool that always wants another try": (lambda: with_tool(always_wants_another_try), run),
    "another agent as a tool": (lambda: with_tool(delegates), run),
    "a function of the output": (lambda: an_agent(output_type=ToolOutput(total, name="total")), run),
    "a model that fails": (lambda: an_agent(refuse), run),
    "a fallback": (with_fallback, run),
    "in pieces": (in_pieces, streamed),
    "step by step": (lambda: with_tool(works), step_by_step),
}  # fmt: skip


def same(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (attributes or {}).items() if key not in CHANGES}


def seen(spans: list[ReadableSpan]) -> list[Seen]:
    """Return what of the spans is the same in each run, cleaned as it is exported."""
    cleaned = clean_spans(spans)
    names = {span.context.span_id: span.name for span in cleaned if span.context}
    found = [
        (
            span.name,
            span.kind.name,
            names.get(span.parent.span_id) if span.parent else None,
            f"{span.status.status_code.name} {span.status.description}",
            same(span.attributes),
            [
                (event.name, {k: v for k, v in (event.attributes or {}).items() if k not in CHANGES})
                for event in span.events
            ],
        )
        for span in cleaned
    ]
    return sorted(found, key=lambda one: json.dumps(one, default=str))


class ElsewhereContext(RunContext[Any]):
    """As a library for durable runs has one."""


async def test_a_runs_context_is_copied_as_copy_does_it() -> None:
    contexts: list[RunContext[Any]] = []

    def note(context: RunContext[Any]) -> str:
        contexts.append(context)
        return ""

    with telemetry.instrument_pydantic_ai():
        await Agent(FunctionModel(answer), tools=[note]).run("go")
        cheap: Callable[[Any], Any] = vars(combined)["copy"]
    assert cheap is not copy
    assert vars(combined)["copy"] is copy
    ours, theirs = cheap(contexts[0]), copy(contexts[0])
    assert type(ours) is type(theirs)
    assert {name: id(value) for name, value in vars(ours).items()} == {k: id(v) for k, v in vars(theirs).items()}
    other = object.__new__(ElsewhereContext)
    assert type(cheap(other)) is ElsewhereContext


@pytest.mark.parametrize("name", CASES)
async def test_what_pydantic_ai_records_by_itself_is_recorded_alike(recorded: Recorded, name: str) -> None:
    create, use = CASES[name]
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    stock = InstrumentationSettings(tracer_provider=provider, meter_provider=NoOpMeterProvider(), include_content=False)
    Agent.instrument_all(stock)
    try:
        with contextlib.suppress(Exception):
            await use(create())
    finally:
        Agent.instrument_all(False)
    with telemetry.instrument_pydantic_ai(), contextlib.suppress(Exception):
        await use(create())
    assert seen(recorded.spans) == seen(list(memory.get_finished_spans()))
    assert any(span.name == "invoke_agent coach" for span in recorded.spans)
