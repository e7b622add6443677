"""A stack of the test's own: own ports, own data, beside whatever else runs on this machine."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from stack import envfile, native, settings
from stack.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psutil

    from stack.settings import Settings


@dataclass
class StackUnderTest:
    """Runs `python -m stack` as a person would, on ports and data of its own."""

    data: Path
    mode: str = "native"
    extra: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=lambda: free_ports([*settings.PORTS, *settings.INTERNAL_PORTS]))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.ports, "STACK": self.mode, "STACK_DATA_DIR": str(self.data), **self.extra}

    @property
    def settings(self) -> Settings:
        return settings.load(self.environment)

    def run(self, *arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [*prefix, sys.executable, "-m", "stack", *arguments]
        return subprocess.run(
            command, cwd=settings.ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=900
        )

    def up(self) -> None:
        """Start it; the test fails with what the command said."""
        done = self.run("up")
        assert done.returncode == 0, done.stdout + done.stderr

    def processes(self) -> list[psutil.Process]:
        """Every process of it that is alive."""
        return native.leftovers(self.settings)

    def process(self, program: str) -> psutil.Process:
        """The one process of this program."""
        (found,) = [process for process in self.processes() if program in process.cmdline()[0]]
        return found

    def app_env(self) -> dict[str, str]:
        """What applications are told."""
        return envfile.read(self.settings.app_env)


def send_span(stack: StackUnderTest, name: str) -> str:
    """One span through the Collector; its trace id."""
    trace_id, now = secrets.token_hex(16), time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
    }
    _post(stack, "traces", {"resourceSpans": [{"resource": _resource(), "scopeSpans": [{"spans": [span]}]}]})
    return trace_id


def send_counter(stack: StackUnderTest, name: str, value: int) -> None:
    """One cumulative counter through the Collector."""
    now = time.time_ns()
    point = {"asInt": str(value), "startTimeUnixNano": str(now - 1_000_000_000), "timeUnixNano": str(now)}
    metric = {"name": name, "sum": {"dataPoints": [point], "aggregationTemporality": 2, "isMonotonic": True}}
    _post(stack, "metrics", {"resourceMetrics": [{"resource": _resource(), "scopeMetrics": [{"metrics": [metric]}]}]})


def _resource() -> dict[str, Any]:
    values = {"service.name": "stack-test", "service.instance.id": "one"}
    return {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]}


def _post(stack: StackUnderTest, signal: str, body: dict[str, Any]) -> None:
    url = f"{stack.settings.url('OTLP_HTTP_PORT')}/v1/{signal}"
    httpx.post(url, json=body, trust_env=False).raise_for_status()


def get_json(url: str, **headers: str) -> Any:
    """The JSON a backend answers, None while it has none."""
    answer = httpx.get(url, headers=headers, trust_env=False, timeout=10)
    return answer.json() if answer.status_code == 200 else None


def has_trace(stack: StackUnderTest, trace_id: str) -> bool:
    """True if Jaeger finds it."""
    found = get_json(f"{stack.settings.url('JAEGER_PORT')}/api/traces/{trace_id}")
    return bool(found and found["data"])


def counter_value(stack: StackUnderTest, query: str) -> float | None:
    """The value Prometheus has."""
    found = get_json(f"{stack.settings.url('PROMETHEUS_PORT')}/api/v1/query?query={query}")
    result = found["data"]["result"] if found else []
    return float(result[0]["value"][1]) if result else None


def eventually(check: Callable[[], Any], *, seconds: float = 20) -> Any:
    """What `check` returns once it is true; the test fails if it never is."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s")
        time.sleep(0.2)
    return found


def no_network() -> tuple[str, ...]:
    """A command prefix under which only loopback exists; skips where the kernel does not allow it."""
    prefix = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
    missing = [program for program in ("unshare", "ip") if shutil.which(program) is None]
    if missing or subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode:
        pytest.skip("network namespaces are not allowed here")
    return prefix
