"""The course of a load run: start API with and without telemetry and the bot, send, stop, and keep what was sent."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import asdict, dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

import psutil

from bench.load.mix import SIDES, Answered, Task
from examples.health_agent.demo import plan
from examples.health_agent.demo.traffic import Sent, Traffic
from examples.health_agent.processes import HOST, Plan, ProcessError, Processes, start, wait_until_healthy
from examples.health_agent.settings import ROOT, Settings
from stack import settings as stack_settings
from stack.build.venv import ensure_venv
from stack.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Load", "Run", "run"]

DATABASE = "health_agent_load"
OFF = {"ENABLE_TRACING": "false", "ENABLE_METRICS": "false", "ENABLE_SENTRY": "false"}
EXPORT_SECONDS = 5
Used = dict[str, float]
"""Processor seconds, by side."""


@dataclass(frozen=True)
class Load:
    """How much: API users at once, for so many seconds, and the share of traces that is to be recorded."""

    users: int = 100
    seconds: float = 60.0
    ratio: float = 0.1


@dataclass(frozen=True)
class Run:
    """What was sent, when and by whom.

    `cpu` is the processor time that each API process took for it, `cpu_in_all` that of the one with telemetry since its
    start, in seconds.
    """

    name: str
    load: Load
    began: float
    ended: float
    answered: Answered
    bot: Sent
    cpu: dict[str, float]
    cpu_in_all: float

    @property
    def environment(self) -> str:
        """Return the environment's name: of this run alone, so that its alerts are told from those of all else."""
        return f"load-{self.name}"

    def instance(self, process: str) -> str:
        """Return the name of a process in the backends."""
        return f"load-{self.name}-{process}"

    def answers(self, side: str) -> dict[tuple[str, ...], int]:
        """Return how many answers one of the APIs gave, by method, route and status."""
        keys = {tuple(key.split(" ")): count for key, count in self.answered.statuses.items()}
        return {key[1:]: count for key, count in keys.items() if key[0] == side}


async def run(load: Load, settings: Settings) -> Run:
    """Send; raises `ProcessError` where a process does not start or dies."""
    name, began = token_hex(3), time.time()
    processes = await start(settings, _plan(name, load))
    try:
        urls = {"on": f"http://{HOST}:{settings.api_port}", "off": await _start_off(processes)}
        answered, bot, before, after = await _send(processes, load, urls)
        await processes.stop("bot", "api", "api-off")
    finally:
        await asyncio.shield(processes.stop_all())
    cpu = {side: after[side] - before[side] for side in SIDES}
    return Run(name, load, began, time.time(), answered, bot, cpu, after["on"])


def _plan(name: str, load: Load) -> Plan:
    common = {
        "OTEL_SERVICE_NAME": "health-agent",
        "OTEL_METRIC_EXPORT_INTERVAL": str(EXPORT_SECONDS * 1000),
        "SENTRY_ENVIRONMENT": f"load-{name}",
        "SENTRY_TRACES_SAMPLE_RATE": f"{load.ratio:g}",
        "ENABLE_SENTRY": "true",
        "ENABLE_METRICS": "true",
        "ENABLE_TRACING": "true",
    }
    own = {of: {"OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id=load-{name}-{of}"} for of in ("api", "bot")}
    return Plan(common, own, real_services=False, fresh_database=DATABASE)


async def _start_off(processes: Processes) -> str:
    """Start the API once more, with everything off; return its address."""
    port = int(free_ports(["API_PORT"])["API_PORT"])
    await processes.spawn("api-off", "api", {**processes.environment, **OFF, "API_PORT": str(port)})
    await wait_until_healthy(processes, port)
    return f"http://{HOST}:{port}"


async def _send(processes: Processes, load: Load, urls: dict[str, str]) -> tuple[Answered, Sent, Used, Used]:
    first_id = int(time.time() * 1000)
    async with Traffic(processes.environment["TELEGRAM_API_URL"], urls["on"], first_id=first_id) as traffic:
        await traffic.prepare()
        steps = [step for step in plan.make(seed=7, seconds=load.seconds) if step.kind != "http"]
        before = _cpu(processes)
        task = Task(urls, load.users, load.seconds, first_id, plan.BROKEN_USER)
        answered = await _together(processes, task, traffic, steps)
        await asyncio.sleep(2 * EXPORT_SECONDS)  # what is sent afterwards is of the same requests
        after = _cpu(processes)
    return answered, traffic.sent, before, after


async def _together(processes: Processes, task: Task, traffic: Traffic, steps: Sequence[plan.Step]) -> Answered:
    generator = asyncio.create_task(_generate(task))
    bot = asyncio.create_task(traffic.play(steps))
    while not (generator.done() and bot.done()):
        await asyncio.wait({generator, bot}, timeout=1)
        processes.check()
    await bot
    return await generator


async def _generate(task: Task) -> Answered:
    python = await asyncio.to_thread(ensure_venv, stack_settings.load(), "load")
    child = await asyncio.create_subprocess_exec(
        *(str(python / "bin" / "python"), "-m", "bench.load.generator"),
        cwd=ROOT, env=os.environ, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, _ = await child.communicate(json.dumps(asdict(task)).encode())
    except BaseException:
        child.kill()
        raise
    if child.returncode:
        raise ProcessError(f"the load generator ended with status {child.returncode}")
    return Answered(**json.loads(said))


def _cpu(processes: Processes) -> Used:
    used = {side: psutil.Process(processes.children[name].pid).cpu_times()
            for side, name in zip(SIDES, ("api", "api-off"), strict=True)}  # fmt: skip
    return {side: times.user + times.system for side, times in used.items()}
