"""Agent runs: tokens and cost as the model reported them, how long, how complex; no content."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from pydantic_ai import Agent
from pydantic_ai.capabilities import CombinedCapability
from pydantic_ai.capabilities.instrumentation import Instrumentation
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

import telemetry
from telemetry.conversation import conversation_id, conversation_scope
from tests.conftest import Recorded


def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Call the tool once where the prompt asks for it, fail where it asks for that, else answer."""
    prompt = str(messages[0].parts)
    usage = RequestUsage(input_tokens=100, output_tokens=10)
    if "fail" in prompt:
        raise RuntimeError("overloaded")
    used = any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts)
    part = ToolCallPart("lookup", {}) if "tool" in prompt and not used else TextPart("secret answer")
    return ModelResponse([part], usage=usage, model_name="claude-sonnet-4-5", provider_name="anthropic")


@pytest.fixture
def agent(recorded: Recorded) -> Iterator[Agent[None, str]]:
    agent = Agent(FunctionModel(answer, model_name="claude-sonnet-4-5"), name="coach")

    @agent.tool_plain
    def lookup() -> str:
        return "secret result"

    with telemetry.instrument_pydantic_ai():
        yield agent


async def test_a_simple_run_counts_its_tokens_once(agent: Agent[None, str], recorded: Recorded) -> None:
    await agent.run("hello")
    metrics = recorded.metrics()
    model = "claude-sonnet-4-5"
    assert metrics["agent.token.usage"] == {(model, "anthropic", "input"): 100, (model, "anthropic", "output"): 10}
    assert metrics["agent.response.duration"] == {("simple", model): 1}
    assert metrics["agent.cost.usd"] == {(model, "anthropic"): pytest.approx(100 * 3e-6 + 10 * 15e-6)}


async def test_a_run_with_a_tool_is_complex_and_counts_both_requests(
    agent: Agent[None, str], recorded: Recorded
) -> None:
    await agent.run("use the tool")
    metrics = recorded.metrics()
    assert metrics["agent.token.usage"]["claude-sonnet-4-5", "anthropic", "input"] == 200
    assert metrics["agent.response.duration"] == {("complex", "claude-sonnet-4-5"): 1}


async def test_a_run_that_fails_has_a_duration_and_an_error(agent: Agent[None, str], recorded: Recorded) -> None:
    with pytest.raises(RuntimeError, match="overloaded"):
        await agent.run("fail")
    metrics = recorded.metrics()
    assert metrics["agent.response.duration"] == {("simple", "claude-sonnet-4-5"): 1}
    assert metrics["errors"] == {("agent", "RuntimeError"): 1}


async def fail_between_two_steps(agent: Agent[None, str]) -> None:
    async with agent.iter("hello") as run:
        async for _ in run:
            raise ValueError("mine")


async def test_an_error_of_the_application_between_two_steps_is_not_the_agents(
    agent: Agent[None, str], recorded: Recorded
) -> None:
    with pytest.raises(ValueError, match="mine"):
        await fail_between_two_steps(agent)
    assert "errors" not in recorded.metrics()
    assert recorded.metrics()["agent.response.duration"] == {("simple", "claude-sonnet-4-5"): 1}


async def capabilities(agent: Agent[None, str]) -> set[str]:
    async with agent.iter("hello") as run:
        root = run.ctx.deps.root_capability
        assert isinstance(root, CombinedCapability)
        return {type(each).__name__ for each in root.capabilities}


async def test_no_capability_of_ours_is_asked_at_each_step(recorded: Recorded) -> None:
    agent = Agent(FunctionModel(answer), name="coach")
    before = await capabilities(agent)
    with telemetry.instrument_pydantic_ai():
        assert await capabilities(agent) == before
    assert [span.name for span in recorded.spans] == ["invoke_agent coach"]


async def test_two_runs_at_once_are_counted_apart(agent: Agent[None, str], recorded: Recorded) -> None:
    await asyncio.gather(agent.run("hello"), agent.run("use the tool"))
    model = "claude-sonnet-4-5"
    assert recorded.metrics()["agent.response.duration"] == {("simple", model): 1, ("complex", model): 1}


async def test_a_gateways_own_price_is_believed(recorded: Recorded) -> None:
    def priced(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        usage = RequestUsage(input_tokens=100, output_tokens=10, cost=Decimal("0.5"))
        return ModelResponse([TextPart("x")], usage=usage, model_name="claude-sonnet-4-5", provider_name="anthropic")

    with telemetry.instrument_pydantic_ai():
        await Agent(FunctionModel(priced)).run("hello")
    assert recorded.metrics()["agent.cost.usd"] == {("function:priced:", "anthropic"): 0.5}


async def test_no_content_is_in_any_span(agent: Agent[None, str], recorded: Recorded) -> None:
    await agent.run("secret prompt, use the tool")
    names = [span.name for span in recorded.spans]
    assert "chat claude-sonnet-4-5" in names
    assert "execute_tool lookup" in names
    assert "secret" not in "".join(span.to_json() for span in recorded.spans)


async def test_the_applications_conversation_goes_before_pydantic_ais_on_every_span(
    agent: Agent[None, str], recorded: Recorded
) -> None:
    with conversation_scope():
        telemetry.set_conversation("chat")
        await agent.run("use the tool")
    found = {(span.attributes or {}).get("gen_ai.conversation.id") for span in recorded.spans}
    assert found == {conversation_id("chat")}
    assert len(recorded.spans) == 4


async def test_off_leaves_nothing_and_on_again_records_again(recorded: Recorded) -> None:
    agent = Agent(FunctionModel(answer, model_name="m"))
    handle = telemetry.instrument_pydantic_ai()
    handle.close()
    handle.close()
    await agent.run("hello")
    assert recorded.spans == []
    assert "agent.token.usage" not in recorded.metrics()
    with telemetry.instrument_pydantic_ai():
        await agent.run("hello")
    assert len(recorded.spans) == 2


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list with an item for each run of which there are spans, ours or pydantic-ai's."""
    asked: list[str] = []
    for_run = Instrumentation.for_run

    async def wrap(*of: Any, **named: Any) -> Any:
        asked.append("")
        return await for_run(*of, **named)

    monkeypatch.setattr(Instrumentation, "for_run", wrap)
    return asked


@pytest.mark.parametrize("sampled", [True, False], ids=["recorded", "not recorded"])
async def test_in_a_trace_that_is_not_recorded_no_work_is_done_for_spans(
    agent: Agent[None, str], recorded: Recorded, asked: list[str], *, sampled: bool
) -> None:
    context = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(sampled))
    span = recorded.runtime.tracer.start_span("request") if sampled else NonRecordingSpan(context)
    with use_span(span, end_on_exit=True):
        await agent.run("hello")
    assert bool(asked) == sampled
    assert recorded.metrics()["agent.response.duration"] == {("simple", "claude-sonnet-4-5"): 1}


async def test_while_traces_are_switched_off_no_work_is_done_for_spans(
    agent: Agent[None, str], recorded: Recorded, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as off:
        off.setattr(recorded.runtime.switches, "tracing", False)
        await agent.run("hello")
    assert asked == []
    await agent.run("hello")
    assert asked == [""]
