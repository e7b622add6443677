"""Each kill switch turns its part off and leaves the application and the rest of the stack as they are."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from stack.ports import free_ports
from stack.settings import ROOT
from tests.conftest import clean_environment
from tests.stack.conftest import Pipeline

MORE_SECONDS = 2.0
"""So much later, at most, a process ends that can send nothing, than one that has nothing to send."""
ALL_OFF = {"ENABLE_METRICS": "false", "ENABLE_TRACING": "false", "ENABLE_SENTRY": "false"}


@contextmanager
def api(pipeline: Pipeline, data: Path, **environ: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """The health agent's API as its own process, without the model providers."""
    port = free_ports(["API_PORT"])["API_PORT"]
    environment = pipeline.environ | environ | {"API_PORT": port, "STACK_DATA_DIR": str(data)}
    command = [sys.executable, "-m", "examples.health_agent", "api"]
    process = subprocess.Popen(command, cwd=ROOT, env=clean_environment() | environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            wait_until_healthy(client, process)
            yield client, process
    finally:
        process.kill()
        process.wait()


def wait_until_healthy(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None
        try:
            if client.get("/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the API did not become healthy within 30 s")


def exercise(client: httpx.Client) -> list[int]:
    """Ask what works, what is missing and what fails on a bug; return the statuses."""
    user = {"id": 990, "name": "zero", "calorie_goal": 0}
    client.post("/api/users", json=user)
    paths = ("/api/users", "/api/foods/999999999", "/api/users/990/progress")
    return [client.get(path).status_code for path in paths]


def stop(process: subprocess.Popen[bytes]) -> float:
    """End it as an operator would; return the seconds it took."""
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    return time.monotonic() - start


def arrived(pipeline: Pipeline, instance: str) -> dict[str, bool]:
    """Tell what of this process is in the backends."""
    tags = {"service.instance.id": instance}
    return {
        "metrics": bool(pipeline.prometheus.query(f'http_requests_total{{instance="{instance}"}}')),
        "traces": bool(pipeline.jaeger.search("health-agent", tags=tags)),
        "errors": any(
            event.release == instance
            for issue in pipeline.sentry.issues()
            for event in pipeline.sentry.events(issue.id)
        ),
    }


@pytest.mark.parametrize(
    ("switch", "off"),
    [("ENABLE_METRICS", "metrics"), ("ENABLE_TRACING", "traces"), ("ENABLE_SENTRY", "errors"), ("NONE", "nothing")],
)
def test_a_switch_turns_its_part_off_and_the_application_runs_the_same(
    pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory, switch: str, off: str
) -> None:
    instance = f"switch-{uuid.uuid4()}"
    resource = {"OTEL_RESOURCE_ATTRIBUTES": f"service.instance.id={instance}", "SENTRY_RELEASE": instance}
    with api(pipeline, tmp_path_factory.mktemp("data"), **resource, **{switch: "false"}) as (client, process):
        assert exercise(client) == [200, 404, 500]
        stop(process)
    expected = {what: what != off for what in ("metrics", "traces", "errors")}
    for _ in range(40):
        if arrived(pipeline, instance) == expected:
            return
        time.sleep(0.5)
    assert arrived(pipeline, instance) == expected


def test_without_a_collector_the_application_starts_serves_and_stops_in_time(
    pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "SENTRY_DSN": "http://key@127.0.0.1:9/1"}
    seconds = []
    for environ in (ALL_OFF, nowhere):
        with api(pipeline, tmp_path_factory.mktemp("data"), **environ) as (client, process):
            assert exercise(client) == [200, 404, 500]
            seconds.append(stop(process))
    assert seconds[1] - seconds[0] < MORE_SECONDS
