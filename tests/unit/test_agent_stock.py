"""pydantic-ai's own instrumentation on the SDK's spans beside ours: the same spans, as they may be exported."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from typing import Any, Self

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_ai import Agent, CallDeferred, DeferredToolRequests, FunctionToolset, ModelRetry, RunContext, ToolOutput
from pydantic_ai.capabilities import Hooks, Instrumentation, combined
from pydantic_ai.exceptions import RetryModelRequest, SkipModelRequest, SkipToolExecution, ToolFailed
from pydantic_ai.messages import ModelMessage, ModelResponse, RetryPromptPart, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.usage import RequestUsage

import telemetry
from telemetry._clean_spans import clean_spans
from telemetry._guard import set_strict
from telemetry.instrumentation import _agent_runs, _agent_spans_stock
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


def cannot(_: RunContext[None]) -> str:
    raise ToolFailed("the scales are broken")


def wants_another_try(context: RunContext[None]) -> str:
    if context.retry == 0:
        raise ModelRetry("which food?")
    return "found"


def always_wants_another_try(_: RunContext[None]) -> str:
    raise ModelRetry("which food?")


async def delegates(_: RunContext[None]) -> str:
    return str((await an_agent(instructions="Be short.").run("and this?")).output)


def weighs(_: RunContext[None], grams: int) -> str:
    return f"{grams} g"


def asks_somebody(_: RunContext[None]) -> str:
    raise CallDeferred


def has_a_span_of_its_own(context: RunContext[None]) -> str:
    with context.tracer.start_as_current_span("execute_tool inner", attributes={"gen_ai.tool.name": "inner"}):
        return "found"


def total(grams: int = 1) -> int:
    return grams


def total_or_fail(grams: int = 1) -> int:
    raise ValueError(f"{grams} is too little")


async def says_how(_: RunContext[None], request: ModelRequestContext) -> ModelRequestContext:
    trace.get_current_span().set_attribute("gen_ai.request.top_p", 0.5)
    return replace(request, model_settings={"temperature": 0.25})


async def rejects(_: RunContext[None], *, request_context: ModelRequestContext, response: ModelResponse) -> Any:
    del request_context, response
    raise ModelRetry("say it again")


async def answers_for_it(_: RunContext[None], *, args: dict[str, Any], **__: Any) -> dict[str, Any]:
    del args
    raise SkipToolExecution("found before")


async def does_without_asking(_: RunContext[None], __: ModelRequestContext) -> ModelRequestContext:
    raise SkipModelRequest(ModelResponse([TextPart("known already")], model_name="gpt-4o"))


def asks_again_once() -> Hooks[None]:
    rejected: list[ModelResponse] = []

    async def reject_the_first(
        _: RunContext[None], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        del request_context
        if not rejected:
            rejected.append(response)
            raise RetryModelRequest
        return response

    return Hooks(after_model_request=reject_the_first)


class CannotBeEntered(FunctionToolset[None]):
    """As a server of tools that does not answer."""

    async def __aenter__(self) -> Self:
        raise ConnectionError("nobody there")


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


async def go_on(agent: Agent[None, Any]) -> None:
    found = await agent.run("hello")
    await agent.run("and then?", message_history=found.all_messages())


async def leave_half_way(agent: Agent[None, Any]) -> None:
    async with agent.iter("hello") as run:
        async for _ in run:
            break


async def fail_between_two_steps(agent: Agent[None, Any]) -> None:
    async with agent.iter("hello") as run:
        async for _ in run:
            raise ValueError("the application")


async def cancel(agent: Agent[None, Any]) -> None:
    async with agent.iter("hello") as run:
        run.cancel()
        async for _ in run:
            pass


async def be_cancelled(agent: Agent[None, Any]) -> None:
    task = asyncio.ensure_future(agent.run("hello"))
    await asyncio.sleep(0.1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def stop_listening(agent: Agent[None, Any]) -> None:
    async with agent.run_stream("hello") as result:
        async for _ in result.stream_text(delta=True):
            break


async def two_at_once(agent: Agent[None, Any]) -> None:
    await asyncio.gather(agent.run("hello"), agent.run("hello"))


async def never_answer(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
    return await asyncio.Future()


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
    "a tool that cannot": (lambda: with_tool(cannot), run),
    "a tool that wants another try": (lambda: with_tool(wants_another_try), run),
    "a tool that always wants another try": (lambda: with_tool(always_wants_another_try), run),
    "another agent as a tool": (lambda: with_tool(delegates), run),
    "a function of the output": (lambda: an_agent(output_type=ToolOutput(total, name="total")), run),
    "a model that fails": (lambda: an_agent(refuse), run),
    "a fallback": (with_fallback, run),
    "a call that is not valid": (lambda: with_tool(weighs), run),
    "a tool that is put off": (lambda: with_tool(asks_somebody, output_type=[str, DeferredToolRequests]), run),
    "a tool with a span of its own": (lambda: with_tool(has_a_span_of_its_own), run),
    "a function of the output that fails": (
        lambda: an_agent(output_type=ToolOutput(total_or_fail, name="total")), run,
    ),
    "a hook that changes the request": (lambda: an_agent(capabilities=[Hooks(before_model_request=says_how)]), run),
    "a hook that rejects each answer": (lambda: an_agent(capabilities=[Hooks(after_model_request=rejects)]), run),
    "a hook that answers for a tool": (
        lambda: with_tool(fails, capabilities=[Hooks(before_tool_execute=answers_for_it)]), run,
    ),
    "a hook that answers for the model": (
        lambda: an_agent(capabilities=[Hooks(before_model_request=does_without_asking)]), run,
    ),
    "a hook that has the model asked again": (lambda: with_tool(works, capabilities=[asks_again_once()]), run),
    "tools that cannot be reached": (lambda: an_agent(toolsets=[CannotBeEntered()]), run),
    "a second turn": (lambda: with_tool(works), go_on),
    "two at once": (lambda: with_tool(works), two_at_once),
    "left half way": (lambda: with_tool(works), leave_half_way),
    "the application fails between two steps": (lambda: with_tool(works), fail_between_two_steps),
    "cancelled by itself": (lambda: with_tool(works), cancel),
    "cancelled with its task": (lambda: an_agent(never_answer), be_cancelled),
    "in pieces, not to the end": (in_pieces, stop_listening),
    "in pieces": (in_pieces, streamed),
    "step by step": (lambda: with_tool(works), step_by_step),
}  # fmt: skip


LEFT_OUT = {"tools that cannot be reached": {"model_name"}}
"""Of which model a run asks, and of its ids, we know when its tools were reached."""


def same(attributes: Mapping[str, Any] | None, without: set[str] = CHANGES) -> dict[str, Any]:
    return {key: value for key, value in (attributes or {}).items() if key not in without}


def seen(spans: list[ReadableSpan], left_out: set[str]) -> list[Seen]:
    """Return what of the spans is the same in each run, cleaned as it is exported."""
    cleaned = clean_spans(spans)
    names = {span.context.span_id: span.name for span in cleaned if span.context}
    found = [
        (
            span.name,
            span.kind.name,
            names.get(span.parent.span_id) if span.parent else None,
            f"{span.status.status_code.name} {span.status.description}",
            same(span.attributes, CHANGES | left_out),
            [(event.name, same(event.attributes)) for event in span.events],
        )
        for span in cleaned
    ]
    return sorted(found, key=lambda one: json.dumps(one, default=str, sort_keys=True))


def stock_spans() -> tuple[InMemorySpanExporter, InstrumentationSettings]:
    """Return pydantic-ai's own instrumentation, and where the SDK's spans of it go."""
    memory, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    settings = InstrumentationSettings(
        tracer_provider=provider, meter_provider=NoOpMeterProvider(), include_content=False
    )
    return memory, settings


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
    memory, stock = stock_spans()
    Agent.instrument_all(stock)
    try:
        with contextlib.suppress(Exception):
            await use(create())
    finally:
        Agent.instrument_all(False)
    with telemetry.instrument_pydantic_ai(), contextlib.suppress(Exception):
        await use(create())
    left_out = LEFT_OUT.get(name, set())
    assert seen(recorded.spans, left_out) == seen(list(memory.get_finished_spans()), left_out)
    assert any(span.name == "invoke_agent coach" for span in recorded.spans)


@pytest.mark.parametrize("where", ["of the agent", "of the run", "of the agent's setting"])
async def test_a_run_that_is_instrumented_by_the_application_is_not_recorded_twice(
    recorded: Recorded, where: str
) -> None:
    memory, settings = stock_spans()
    its_own = [Instrumentation(settings=settings)]
    agent = with_tool(works, capabilities=its_own if where == "of the agent" else ())
    if where == "of the agent's setting":
        agent.instrument = settings
    with telemetry.instrument_pydantic_ai():
        await agent.run("hello", capabilities=its_own if where == "of the run" else None)
    assert recorded.spans == []
    assert [span.name for span in memory.get_finished_spans()].count("chat gpt-4o") == 2


async def test_an_agent_that_is_not_to_be_instrumented_is_not(recorded: Recorded) -> None:
    agent = with_tool(works)
    agent.instrument = False
    with telemetry.instrument_pydantic_ai():
        await agent.run("hello")
    assert recorded.spans == []


async def test_what_a_durable_run_replays_is_not_recorded_again(recorded: Recorded) -> None:
    durable = pytest.importorskip("pydantic_ai._durable_replay", reason="nothing is replayed before 2.68")
    with telemetry.instrument_pydantic_ai(), durable.replay_scope(is_replaying=lambda: True):
        await with_tool(works).run("hello")
    assert recorded.spans == []


async def test_where_pydantic_ai_has_moved_what_is_read_of_it_its_own_spans_are_recorded(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_agent_runs, "RunSpans", _agent_spans_stock.RunSpans)
    monkeypatch.setattr(_agent_runs, "takes_over", _agent_spans_stock.takes_over)
    with telemetry.instrument_pydantic_ai():
        await with_tool(works).run("hello")
    assert [span.name for span in recorded.spans] == [
        "chat gpt-4o", "execute_tool works", "chat gpt-4o", "invoke_agent coach",
    ]  # fmt: skip
    assert {span.attributes["gen_ai.agent.name"] for span in recorded.spans if span.attributes} == {"coach"}


async def test_a_failure_of_ours_does_not_reach_the_run(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("ours")

    set_strict(False)
    monkeypatch.setattr("telemetry.instrumentation._agent_steps.response_attributes", fail)
    monkeypatch.setattr("telemetry.instrumentation._agent_steps.model_attributes", fail)
    with telemetry.instrument_pydantic_ai():
        assert (await with_tool(works).run("hello")).output == "an answer"
    assert "failed to record what an agent does" in caplog.text
    assert {span.name for span in recorded.spans} == {"invoke_agent coach", "chat gpt-4o", "execute_tool works"}
