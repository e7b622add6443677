"""Random agent runs: the counters hold to the token what the models reported, however a run goes.

AGENT_RUNS=2000 asks for more than the short form's 200.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.exceptions import AgentRunError, ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.usage import RequestUsage, RunUsage

import telemetry
from tests.conftest import Recorded

RUNS = int(os.environ.get("AGENT_RUNS", "200"))
KNOWN, UNKNOWN = "claude-sonnet-4-5", "nobody-sells-this"


@dataclass
class Ledger:
    """What the models reported, summed by themselves."""

    chance: random.Random
    requests: int = 0
    unknown: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    ways: Counter[str] = field(default_factory=Counter)

    def usage(self, model: str) -> RequestUsage:
        """Report the usage of one answer."""
        found = RequestUsage(input_tokens=self.chance.randint(1, 5000), output_tokens=self.chance.randint(1, 500))
        self.requests += 1
        self.input_tokens += found.input_tokens
        self.output_tokens += found.output_tokens
        self.unknown += model == UNKNOWN
        self.price(model, found)
        return found

    def price(self, model: str, found: RequestUsage | RunUsage) -> None:
        """Add the list price of an answer."""
        self.cost += 0 if model == UNKNOWN else found.input_tokens * 3e-6 + found.output_tokens * 15e-6

    def add_stream(self, model: str, usage: RunUsage) -> None:
        """Add what the answers of a streamed run used, as pydantic-ai itself summed it."""
        self.unknown += usage.requests * (model == UNKNOWN)
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.price(model, usage)


def model_of(ledger: Ledger, name: str) -> FunctionModel:
    """A model that calls tools, answers or fails as chance has it."""

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if ledger.chance.random() < 0.08:
            raise RuntimeError("overloaded")
        tools = [tool.name for tool in info.function_tools]
        calls = tools and len(messages) < 8 and ledger.chance.random() < 0.6
        part = ToolCallPart(ledger.chance.choice(tools), {}) if calls else TextPart("done")
        return ModelResponse([part], usage=ledger.usage(name), model_name=name, provider_name="anthropic")

    return FunctionModel(answer, model_name=name)


def streaming_model_of(ledger: Ledger, name: str) -> FunctionModel:
    """A model that answers word by word, with a tool call before it as chance has it."""

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
        if ledger.chance.random() < 0.08:
            raise RuntimeError("overloaded")
        if len(messages) < 4 and ledger.chance.random() < 0.5:
            yield {0: DeltaToolCall(info.function_tools[0].name, "{}", tool_call_id="1")}
            return
        for word in ("one ", "two ", "three ", "four "):
            yield word

    return FunctionModel(stream_function=answer, model_name=name)


def agent_of(ledger: Ledger) -> Agent[object, str]:
    name = ledger.chance.choice([KNOWN, KNOWN, UNKNOWN])
    model: Model = model_of(ledger, name)
    if ledger.chance.random() < 0.2:  # a provider that refuses, and the one that is asked instead
        model = FallbackModel(FunctionModel(refuse, model_name="busy"), model)
    agent = Agent(model, name="coach", retries=1)
    helper = Agent(model_of(ledger, KNOWN), name="helper")

    @agent.tool_plain
    def look_up() -> str:
        if ledger.chance.random() < 0.3:
            raise ModelRetry("again")
        return "found"

    @agent.tool
    async def delegate(ctx: RunContext[object]) -> str:
        return (await helper.run("help", usage=ctx.usage)).output

    @agent.output_validator
    def check(output: str) -> str:
        if ledger.chance.random() < 0.1:
            raise ModelRetry("not like this")
        return output

    return agent


def refuse(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
    raise ModelHTTPError(529, "busy")


async def run(ledger: Ledger) -> None:
    """Run an agent to its end."""
    ledger.ways["run"] += 1
    await agent_of(ledger).run("go")


async def run_stream(ledger: Ledger) -> None:
    """Stream an answer and read it to its end, break it off, fail while reading, or be cancelled."""
    name, usage = ledger.chance.choice([KNOWN, UNKNOWN]), RunUsage()
    agent = Agent(streaming_model_of(ledger, name), name="coach")
    agent.tool_plain(look_up)
    way = ledger.chance.choice(["read to its end", "broken off", "failed", "cancelled"])
    ledger.ways[way] += 1
    try:
        await read_stream(agent, usage, way)
    finally:
        ledger.add_stream(name, usage)


def look_up() -> str:
    return "found"


async def read_stream(agent: Agent[None, str], usage: RunUsage, way: str) -> None:
    async with agent.run_stream("go", usage=usage) as result:
        async for _ in result.stream_text(delta=True, debounce_by=None):
            if way == "broken off":
                break
            if way == "failed":
                raise RuntimeError("reader")
            if way == "cancelled":
                raise asyncio.CancelledError


async def test_tokens_and_cost_are_what_the_models_reported(recorded: Recorded) -> None:
    ledger = Ledger(random.Random(7))  # noqa: S311 - repeatable, not secret
    failed = 0
    with telemetry.instrument_pydantic_ai():
        for _ in range(RUNS):
            try:
                await ledger.chance.choice([run, run, run_stream])(ledger)
            except (RuntimeError, AgentRunError, asyncio.CancelledError, ExceptionGroup):
                failed += 1
    tokens = recorded.metrics()["agent.token.usage"]
    assert 0 < failed < RUNS == ledger.ways.total()
    assert len(ledger.ways) == 5
    assert sum(value for key, value in tokens.items() if key[-1] == "input") == ledger.input_tokens
    assert sum(value for key, value in tokens.items() if key[-1] == "output") == ledger.output_tokens
    assert sum(recorded.metrics()["agent.cost.usd"].values()) == pytest.approx(ledger.cost)
    assert sum(recorded.metrics()["agent.cost.unknown"].values()) == ledger.unknown > 0


async def pieces(_: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
    for word in ("one ", "two ", "three ", "four "):
        yield word
        await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["read to its end", "broken off", "failed", "cancelled"])
async def test_a_stream_is_counted_once_with_what_had_come(recorded: Recorded, way: str) -> None:
    agent = Agent(FunctionModel(stream_function=pieces, model_name=KNOWN), name="coach")
    usage = RunUsage()
    with telemetry.instrument_pydantic_ai(), suppress(RuntimeError, asyncio.CancelledError):
        await read_stream(agent, usage, way)
    tokens = recorded.metrics()["agent.token.usage"]
    assert tokens[KNOWN, "other", "input"] == usage.input_tokens > 0
    assert tokens[KNOWN, "other", "output"] == usage.output_tokens > 0
    names = [span.name for span in recorded.spans]
    assert names.count(f"chat {KNOWN}") == 1
    assert names.count("invoke_agent coach") == 1
    assert sum(recorded.metrics()["agent.response.duration"].values()) == 1
    assert recorded.metrics()["agent.time.to.first.token"] == {(KNOWN,): 1}


async def test_a_generator_closed_from_another_task_leaves_no_span_open_and_no_error(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Agent(FunctionModel(stream_function=pieces, model_name=KNOWN), name="coach")

    async def words() -> AsyncGenerator[str, None]:
        async with agent.run_stream("go") as result:
            async for word in result.stream_text(delta=True, debounce_by=None):
                yield word

    async def close() -> None:
        with suppress(ValueError):  # pydantic-ai's own variable: the same without any telemetry
            await generator.aclose()

    generator = words()
    with telemetry.instrument_pydantic_ai():
        await asyncio.create_task(generator.asend(None))
        await asyncio.create_task(close())
    assert [span.name for span in recorded.spans] == [f"chat {KNOWN}", "invoke_agent coach"]
    assert recorded.metrics()["agent.token.usage"][KNOWN, "other", "output"] > 0
    assert sum(recorded.series()["work.in.flight"].values()) == 0
    assert caplog.records == []
