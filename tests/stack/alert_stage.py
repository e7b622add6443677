"""A running stack whose alerts are delivered to a webhook, and health agents that are brought into trouble."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from examples.health_agent.db import fresh_database
from examples.health_agent.embedded import embedded_url
from stack import native
from stack.delivery import alertmanager
from stack.ports import free_ports
from stack.settings import ROOT
from tests.alerts import receivers
from tests.alerts.real_alertmanager import answers, until
from tests.conftest import clean_environment
from tests.stack import paced_rules
from tests.stack.stack_helpers import StackUnderTest, get_json

PACE = float(os.environ.get("ALERTS_PACE", "10"))


@dataclass
class Agent:
    """One environment's API and bot."""

    environment: str
    url: str
    database: str
    environ: dict[str, str]
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)


@dataclass
class Stage:
    """`pace` 1 is real time; at 10 every duration of rules and routes is a tenth."""

    stack: StackUnderTest
    pace: float
    hook: receivers.Received
    heartbeat: receivers.Received
    closing: ExitStack

    def seconds(self, real: float) -> float:
        """How long `real` seconds take at this pace."""
        return real / self.pace

    def alerts(self) -> list[dict[str, Any]]:
        """What Prometheus holds as pending or firing; nothing while it is away."""
        try:
            found = get_json(f"{self.stack.settings.url('PROMETHEUS_PORT')}/api/v1/alerts")
        except httpx.HTTPError:
            return []
        return list(found["data"]["alerts"]) if found else []

    @property
    def last_heartbeat(self) -> float:
        """When the watcher outside was called last; 0 if never."""
        return self.heartbeat.payloads[-1][0] if self.heartbeat.payloads else 0.0

    def value(self, query: str) -> float | None:
        """The lowest value that Prometheus answers."""
        url = self.stack.settings.url("PROMETHEUS_PORT") + "/api/v1/query"
        found = httpx.get(url, params={"query": query}, trust_env=False).json()["data"]["result"]
        return min((float(entry["value"][1]) for entry in found), default=None)

    def part(self, action: str, name: str) -> None:
        """Have the supervisor `stop` or `start` a part."""
        method = "PATCH" if action == "stop" else "POST"
        native._ask(self.stack.settings, method, f"/process/{action}/{name}")

    def services(self, delay: float) -> dict[str, str]:
        """Start the local providers and Telegram; where they are."""
        process = self._run("services", {"LOCAL_DELAY_SCALE": str(delay)}, stdout=subprocess.PIPE)
        assert process.stdout
        found: dict[str, str] = json.loads(process.stdout.readline())
        return found

    def agents(self, services: Mapping[str, dict[str, str]]) -> dict[str, Agent]:
        """Start the API of each environment, all at once; its services by its name."""
        found = {environment: self._api(environment, given) for environment, given in services.items()}
        for agent in found.values():
            until(lambda: answers(f"{agent.url}/health"), 300)  # noqa: B023 - asked at once
        return found

    def bot(self, agent: Agent) -> None:
        """Start the bot beside an API."""
        agent.processes["bot"] = self._run("bot", agent.environ | {"OTEL_SERVICE_NAME": "health-agent-bot"})

    def _api(self, environment: str, services: Mapping[str, str]) -> Agent:
        port = free_ports(["API_PORT"])["API_PORT"]
        url = fresh_database(embedded_url(), f"alerts_{environment}_{port}")
        environ = {
            **services,
            "API_PORT": port,
            "DATABASE_URL": url,
            "SENTRY_ENVIRONMENT": environment,
            "ENABLE_SENTRY": "false",
            "OTEL_METRIC_EXPORT_INTERVAL": str(round(self.seconds(15) * 1000)),
        }
        agent = Agent(environment, f"http://127.0.0.1:{port}", url, environ)
        agent.processes["api"] = self._run("api", environ | {"OTEL_SERVICE_NAME": "health-agent-api"})
        return agent

    def _run(self, part: str, environ: dict[str, str], stdout: int | None = None) -> subprocess.Popen[str]:
        # It ends with this process, however that ends.
        environment = clean_environment() | self.stack.app_env() | environ | {"STOP_WITH_STDIN": "1"}
        command = [sys.executable, "-m", "examples.health_agent", part]
        log = self.closing.enter_context((self.stack.data / "logs" / f"agent-{part}.log").open("a"))
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=stdout or log, stderr=log, text=True
        )
        self.closing.callback(_end, process)
        return process

    @contextmanager
    def repeating(self, work: Callable[[httpx.Client], object], *, every: float, times: int = 1) -> Iterator[None]:
        """Do something again and again in `times` threads, whatever comes of it, until the block is left."""
        stop = threading.Event()

        def run() -> None:
            with httpx.Client(timeout=120, trust_env=False) as client:
                while not stop.wait(every):
                    try:
                        work(client)
                    except httpx.HTTPError:
                        continue

        threads = [threading.Thread(target=run, daemon=True) for _ in range(times)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join(130)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in filter(None, (process.stdin, process.stdout)):
        pipe.close()


@contextmanager
def stage(folder: Path, pace: float) -> Iterator[Stage]:
    """Start the stack, its alerts delivered to a webhook and its heartbeat to another, at this pace."""
    with ExitStack() as closing:
        hook, heartbeat = (closing.enter_context(receivers.webhook()) for _ in range(2))
        extra = {"ALERT_WEBHOOK_URL": hook.url, "ALERT_HEARTBEAT_URL": heartbeat.url, "STACK_WITHOUT": "bugsink"}
        stack = StackUnderTest(folder, extra=extra)
        stack.up()
        closing.callback(stack.run, "down")
        if pace != 1:
            _quicken(stack, pace)
        yield Stage(stack, pace, hook, heartbeat, closing)


def _quicken(stack: StackUnderTest, pace: float) -> None:
    """Put the paced rules and routes in the place of the committed ones, and have them read."""
    rules = stack.data / "paced.yml"
    rules.write_text(yaml.safe_dump(paced_rules.rules(pace)))
    prometheus = alertmanager.prometheus_file(stack.settings)
    prometheus.write_text(yaml.safe_dump(yaml.safe_load(prometheus.read_text()) | {"rule_files": [str(rules)]}))
    routes = alertmanager.alertmanager_file(stack.settings)
    routes.write_text(yaml.safe_dump(paced_rules.routes(yaml.safe_load(routes.read_text()), pace)))
    for program in ("prometheus", "alertmanager"):
        os.kill(stack.process(f"/{program}-").pid, signal.SIGHUP)
