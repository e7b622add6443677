"""compose.yaml run for real. Skips without a Docker engine, or where the images are neither here nor to be pulled.

Where nothing can be pulled, `python -m tests.stack.make_images` makes stand-ins from the native parts first.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from stack import compose, settings
from tests.stack.stack_helpers import (
    StackUnderTest,
    counter_value,
    eventually,
    has_trace,
    send_counter,
    send_span,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

if why := compose.unavailable():
    pytest.skip(why, allow_module_level=True)


def _missing_parts() -> list[str]:
    """Services whose image this engine does not have and cannot pull."""
    services = yaml.safe_load((settings.ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    parts = {name: service["image"] for name, service in services.items() if not name.endswith("-health")}
    return [name for name, image in parts.items() if not _have(image)]


def _have(image: str) -> bool:
    here = subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0
    return here or not subprocess.run(["docker", "pull", image], capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    missing = _missing_parts()
    if "collector" in missing:
        pytest.skip("the images can neither be found nor pulled; python -m tests.stack.make_images makes stand-ins")
    started = StackUnderTest(tmp_path_factory.mktemp("compose"), "docker", {"STACK_WITHOUT": ",".join(missing)})
    started.up()
    yield started
    started.run("clean")
    assert _containers(started) == []


def _containers(stack: StackUnderTest) -> list[str]:
    label = f"label=com.docker.compose.project={compose.project_name(stack.settings)}"
    listed = subprocess.run(["docker", "ps", "-aq", "--filter", label], capture_output=True, text=True, check=True)
    return listed.stdout.split()


def test_every_service_is_healthy(stack: StackUnderTest) -> None:
    states = compose.states(stack.settings)
    assert states.pop("collector") == "running"  # asked by its neighbour
    states.pop("tempo", None)
    assert set(states.values()) == {"healthy"}
    done = stack.run("status")
    assert done.returncode == 0, done.stdout + done.stderr


def test_ports_are_published_on_loopback_only(stack: StackUnderTest) -> None:
    for container in _containers(stack):
        shown = subprocess.run(["docker", "port", container], capture_output=True, text=True, check=True)
        assert all(line.split(" -> ")[1].startswith("127.0.0.1:") for line in shown.stdout.splitlines())


def test_a_span_and_a_metric_arrive_and_survive_a_restart(stack: StackUnderTest) -> None:
    trace_id = send_span(stack, "compose")
    send_counter(stack, "compose.test", 7)
    eventually(lambda: has_trace(stack, trace_id) and counter_value(stack, "compose_test_total"))
    assert stack.run("down").returncode == 0
    assert _containers(stack) == []
    stack.up()
    eventually(lambda: has_trace(stack, trace_id))
    assert counter_value(stack, "last_over_time(compose_test_total[10m])") == 7


def test_the_local_sentry_and_the_database_are_told(stack: StackUnderTest) -> None:
    told = stack.app_env()
    if "bugsink" not in stack.settings.without:
        assert told["SENTRY_DSN"].startswith("http://")
        assert told["TELEMETRY_SENTRY_TOKEN"]
    if "postgres" not in stack.settings.without:
        assert told["DATABASE_URL"].startswith("postgresql://health_agent:")


def test_a_wedged_exporter_makes_the_collector_unhealthy(stack: StackUnderTest) -> None:
    jaeger = _compose(stack, "ps", "-q", "jaeger").strip()
    subprocess.run(["docker", "pause", jaeger], check=True, capture_output=True)
    try:
        send_span(stack, "wedged")
        eventually(lambda: compose.states(stack.settings)["collector-health"] == "unhealthy", seconds=90)
        assert stack.run("status").returncode == 1
    finally:
        subprocess.run(["docker", "unpause", jaeger], check=True, capture_output=True)
    eventually(lambda: compose.states(stack.settings)["collector-health"] == "healthy", seconds=60)


def _compose(stack: StackUnderTest, *arguments: str) -> str:
    command = ["docker", "compose", "--project-name", compose.project_name(stack.settings), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_memory_is_limited_as_stated(stack: StackUnderTest) -> None:
    for container in _containers(stack):
        command = ["docker", "inspect", "--format", "{{.HostConfig.Memory}}", container]
        assert int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) > 0
