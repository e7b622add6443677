"""A process that is killed in the middle of its work: the work is seen, with its trace and since when."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import TypeVar

from stack.settings import ROOT
from tests.stack.conftest import Pipeline

T = TypeVar("T")

HANG = """
import asyncio, telemetry
from pydantic_ai import Agent
from pydantic_ai.models.function import FunctionModel
telemetry.init(strict=True)
telemetry.instrument_pydantic_ai()

async def never(messages, info):
    await asyncio.sleep(600)

asyncio.run(Agent(FunctionModel(never), name="coach").run("hello"))
"""


def test_a_killed_agent_run_is_in_jaeger_and_prometheus(pipeline: Pipeline) -> None:
    instance = f"killed-{uuid.uuid4()}"
    environ = {
        "OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={instance}",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "TELEMETRY_START_RECORD_AFTER": "1",
    }
    command = [sys.executable, "-c", HANG]
    process = subprocess.Popen(command, cwd=ROOT, env=pipeline.stack.environment | pipeline.environ | environ)
    try:
        found = wait_for(lambda: pipeline.jaeger.search("health-agent", tags={"service.instance.id": instance}))
    finally:
        process.kill()
        process.wait()
    ((started,),) = [trace.spans for trace in found]
    assert started.name == "coach started"
    assert (started.attributes["work.kind"], started.attributes["work.name"]) == ("agent", "coach")
    assert started.parent_id is not None
    series = f'work_in_flight{{instance="{instance}",kind="agent",name="coach"}}'
    assert wait_for(lambda: pipeline.prometheus.scalar(series)) == 1


def wait_for(ask: Callable[[], T]) -> T:
    """Ask until there is an answer, for 30 s at most; return the last one."""
    deadline = time.monotonic() + 30
    while not (answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return answer
