"""The demo's course: start, send, stop, wait for the backends, account."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Sequence
from secrets import token_hex

import httpx
from rich.console import Console

from examples.health_agent.processes import HOST, Plan, ProcessError, Processes, check_port, start
from examples.health_agent.settings import DATA, ConfigurationError, Settings

from . import arrivals, plan, summary
from .display import progress
from .traffic import Sent, Traffic

__all__ = ["run"]

RESULT = DATA / "demo.json"
NEEDED = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "SENTRY_DSN",
    "TELEMETRY_PROMETHEUS_URL",
    "TELEMETRY_JAEGER_URL",
    "TELEMETRY_SENTRY_URL",
    "TELEMETRY_SENTRY_TOKEN",
)
PARTS = (
    ("the Collector", "OTEL_EXPORTER_OTLP_ENDPOINT", "/"),
    ("Prometheus", "TELEMETRY_PROMETHEUS_URL", "/-/ready"),
    ("Jaeger", "TELEMETRY_JAEGER_URL", "/api/services"),
    ("Bugsink", "TELEMETRY_SENTRY_URL", "/"),
)
SERVER_ERROR = 500
LOOK_SECONDS = 2.0
INTERRUPTED = 130
REPEATED = "DEMO_IN_STACK_ENVIRONMENT"
DATABASE = "health_agent_demo"
"""Its own, made anew: what an earlier run left behind, or the operator stored, plays no part in the account."""
APPLICATION = {
    "OTEL_SERVICE_NAME": "health-agent",
    "OTEL_METRIC_EXPORT_INTERVAL": "5000",
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "TELEMETRY_ERROR_WINDOW": "0.001",  # each error an event: they are counted against what was sent
    "SENTRY_TRACES_SAMPLE_RATE": "1.0",
    "ENABLE_SENTRY": "true",
    "ENABLE_METRICS": "true",
    "ENABLE_TRACING": "true",
    "REMINDER_POLL_SECONDS": "2",
    "TELEMETRY_RUNTIME_INTERVAL": "5",
}
"""Everything on, everything sampled: the demo accounts for each request. Active users are read often enough to show."""


async def run(settings: Settings) -> int:
    """Run the demo. Exit status 0: everything that was sent has arrived; 1: it has not; 130: interrupted."""
    console = Console()
    _check(settings)
    work = asyncio.create_task(_run(settings, console))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        console.print("Interrupted; everything is stopped.")
        return INTERRUPTED
    except ProcessError as error:
        console.print(f"[red]✗ {error}", soft_wrap=True)
        return 1


def _check(settings: Settings) -> None:
    if missing := [name for name in NEEDED if not settings.text(name)]:
        if not settings.text(REPEATED):
            _repeat_with_stack()
        raise ConfigurationError(f"{', '.join(missing)} not set: start the stack and this demo with `make demo`")
    check_port(settings)
    for part, variable, path in PARTS:
        if not _answers(settings.text(variable) + path):
            raise ConfigurationError(f"{part} does not answer at {settings.text(variable)} ({variable}): run `make up`")


def _repeat_with_stack() -> None:
    """Start this program again in the environment of the running stack; does not return."""
    command = (sys.executable, "-m", "stack", "exec", sys.executable, "-m", "examples.health_agent", "demo")
    os.execve(sys.executable, command, {**os.environ, REPEATED: "1"})  # noqa: S606  no shell is wanted


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code < SERVER_ERROR
    except httpx.HTTPError:
        return False


async def _run(settings: Settings, console: Console) -> int:
    identity, seed = token_hex(4), int(settings.number("DEMO_SEED", 7))
    seconds, since = settings.number("DEMO_SECONDS", 60), time.time()
    console.print(f"Starting the health agent (run {identity}) ...", highlight=False)
    processes = await start(settings, _processes(identity, seed))
    try:
        sent, ledgers = await _send(console, processes, settings.api_port, (seed, seconds))
        codes = await processes.stop("bot", "api")
    finally:
        await asyncio.shield(processes.stop_all())
    console.print("API and bot are stopped. Waiting for the backends ...")
    backends = arrivals.Backends.from_environment(settings.environment)
    deadline = time.monotonic() + settings.number("DEMO_WAIT_SECONDS", 30)
    arrived = await _arrive(backends, (identity, since), (sent, ledgers), deadline)
    rows = arrivals.compare(sent, ledgers, arrived)
    result = _result(settings, identity, rows, arrived, _problems(sent, codes))
    summary.write(result, RESULT)
    summary.show(console, result)
    return 0 if result.ok else 1


def _processes(run: str, seed: int) -> Plan:
    common = APPLICATION | {"LOCAL_SEED": str(seed)}
    own = {name: {"OTEL_RESOURCE_ATTRIBUTES": _identity(run, name)} for name in ("api", "bot")}
    return Plan(common, own, real_services=False, fresh_database=DATABASE)


def _identity(run: str, name: str) -> str:
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return ",".join(filter(None, (given, f"service.instance.id={_instance(run, name)}")))


def _instance(run: str, name: str) -> str:
    return f"demo-{run}-{name}"


async def _send(
    console: Console, processes: Processes, port: int, length: tuple[int, float]
) -> tuple[Sent, arrivals.Ledgers]:
    seed, seconds = length
    telegram = processes.environment["TELEGRAM_API_URL"]
    async with Traffic(telegram, f"http://{HOST}:{port}", first_id=int(time.time() * 1000)) as traffic:
        await traffic.prepare()
        async with progress(console, traffic.sent, seconds):
            await _or_crash(traffic.play(plan.make(seed, seconds)), processes)
        return traffic.sent, await _ledgers(processes.environment)


async def _or_crash(traffic: Coroutine[None, None, None], processes: Processes) -> None:
    """Wait for the traffic, and give up as soon as a process has died."""
    task = asyncio.create_task(traffic)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=1)
            processes.check()
        await task
    except ExceptionGroup as group:
        raise ProcessError(f"the traffic could not be sent: {group.exceptions[0]!r}") from group
    finally:
        task.cancel()


async def _ledgers(environment: dict[str, str]) -> arrivals.Ledgers:
    """Ask each local provider what it has answered."""
    ledgers = arrivals.Ledgers()
    addresses = {
        "anthropic": "ANTHROPIC_BASE_URL",
        "openai": "OPENAI_BASE_URL",
        "usda": "USDA_API_URL",
    }
    async with httpx.AsyncClient() as client:
        for service, variable in addresses.items():
            url = httpx.URL(environment[variable]).join("/control/ledger")
            ledgers.add(service, (await client.get(url)).json())
    return ledgers


async def _arrive(
    backends: arrivals.Backends, run: tuple[str, float], expected: tuple[Sent, arrivals.Ledgers], deadline: float
) -> arrivals.Arrived:
    """Look until everything is there, or until the deadline."""
    while True:
        late = time.monotonic() > deadline
        arrived = await asyncio.to_thread(arrivals.look, backends, run[0], since=run[1])
        if late or all(row.ok for row in arrivals.compare(*expected, arrived) if row.where != "Sentry"):
            await asyncio.to_thread(arrivals.look_for_errors, backends, arrived)
        complete = all(row.ok for row in arrivals.compare(*expected, arrived))
        if late or (complete and arrived.photo_trace() and arrived.failing_event()):
            return arrived
        await asyncio.sleep(LOOK_SECONDS)


def _problems(sent: Sent, codes: dict[str, int]) -> list[str]:
    ended = [f"the {name} process ended with status {code}" for name, code in codes.items() if code]
    unanswered = [f'the bot did not answer "{text}"' for text in sent.unanswered]
    return ended + unanswered


def _result(
    settings: Settings, run: str, rows: Sequence[arrivals.Row], arrived: arrivals.Arrived, problems: list[str]
) -> summary.Result:
    photo, event = arrived.photo_trace(), arrived.failing_event()
    return summary.Result(
        run=run,
        instances={name: _instance(run, name) for name in ("api", "bot")},
        ok=all(row.ok for row in rows) and photo is not None and event is not None and not problems,
        rows=list(rows),
        photo_trace_id=photo.trace_id if photo else None,
        error_event_id=event.id if event else None,
        error_trace_id=event.trace_id if event else None,
        links=summary.links(settings.environment, run, arrived),
        problems=problems,
    )
