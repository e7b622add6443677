"""A trace goes on across tasks, threads and processes as the development guide says: its code is run here."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import telemetry
from tests.conftest import Recorded

DOCUMENT = Path(__file__).parents[2] / "docs/DEVELOPMENT_OBSERVABILITY.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


def run_block(number: int) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(BLOCKS[number], f"block {number}", "exec"), names)  # noqa: S102 - the document's own code
    return names


def work() -> None:
    with telemetry.get_tracer().start_as_current_span("work"):
        pass


async def async_work() -> None:
    work()


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(async_work())


WAYS: dict[str, Callable[[], Awaitable[object]]] = {
    "await": async_work,
    "create_task": lambda: asyncio.create_task(async_work()),
    "gather": lambda: asyncio.gather(async_work()),
    "TaskGroup": in_a_group,
    "to_thread": lambda: asyncio.to_thread(work),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_what_carries_the_trace_by_itself(recorded: Recorded, way: Callable[[], Awaitable[object]]) -> None:
    with telemetry.get_tracer().start_as_current_span("request"):
        await way()
    request, done = recorded.span("request"), recorded.span("work")
    assert done.parent == request.context


async def test_a_thread_and_an_executor_carry_it_in_a_copy_of_the_context(recorded: Recorded) -> None:
    await run_block(0)["main"]()
    request = recorded.span("request")
    assert [span.parent for span in recorded.spans if span.name == "work"] == [request.context] * 2


def test_what_is_stored_goes_on_as_a_linked_trace(recorded: Recorded) -> None:
    names = run_block(1)
    with telemetry.get_tracer().start_as_current_span("request"):
        stored = names["remember"]()
    names["send"](stored)
    request, sent = recorded.span("request"), recorded.span("reminders.send")
    assert sent.parent is None
    assert [link.context.span_id for link in sent.links] == [request.context.span_id if request.context else 0]


def test_a_subprocess_takes_it_from_its_environment(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    names = run_block(2)
    with telemetry.get_tracer().start_as_current_span("request"):
        trace_id = telemetry.save_context()["traceparent"].split("-")[1]
        assert names["start"](f"import os; assert {trace_id!r} in os.environ['TRACEPARENT']") == 0
        monkeypatch.setenv("TRACEPARENT", telemetry.save_context()["traceparent"])
    names["in_the_child"]()
    request, child = recorded.span("request"), recorded.span("child")
    assert [link.context.span_id for link in child.links] == [request.context.span_id if request.context else 0]
