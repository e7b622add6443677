"""A real Alertmanager: the committed routes and inhibitions, the channels of the environment, and short waits."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from stack import build, settings
from stack.delivery import alertmanager, channels
from stack.ports import free_ports
from stack.settings import Settings

WAIT = 0.2
SHORT = {"group_wait": f"{WAIT * 1000:.0f}ms", "group_interval": "1s"}


@contextmanager
def running(folder: Path, **environ: str) -> Iterator[Settings]:
    """Run it until the block is left."""
    ports = free_ports(["ALERTMANAGER_PORT"])
    found = settings.load({"STACK_DATA_DIR": str(folder), **ports, **environ})
    alertmanager.write(found, channels.load(found))
    file = alertmanager.alertmanager_file(found)
    file.write_text(yaml.safe_dump(shortened(yaml.safe_load(file.read_text()))))
    command = [
        str(build.binaries(settings.load())["alertmanager"]),
        f"--config.file={file}",
        f"--storage.path={folder / 'storage'}",
        f"--web.listen-address=127.0.0.1:{ports['ALERTMANAGER_PORT']}",
        "--cluster.listen-address=",
        "--enable-feature=receiver-name-in-metrics",
    ]
    with (folder / "alertmanager.log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            until(lambda: answers(found.url("ALERTMANAGER_PORT") + "/-/ready"))
            yield found
        finally:
            process.terminate()


def shortened(config: dict[str, Any]) -> dict[str, Any]:
    for route in [config["route"], *config["route"]["routes"]]:
        route.update({name: SHORT[name] for name in SHORT if name in route and route[name] != "0s"})
    return config


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def until(check: Any, seconds: float = 15) -> Any:
    """Wait for what is true; the test fails if it never is."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.05)
    return found


def post(
    found: Settings, *alerts: dict[str, str], seconds: float = 60, annotations: Mapping[str, str] | None = None
) -> None:
    """Post alerts by their labels, as Prometheus would; they end after `seconds`."""
    ends = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
    body = [{"labels": labels, "annotations": dict(annotations or {}), "endsAt": ends} for labels in alerts]
    url = found.url("ALERTMANAGER_PORT") + "/api/v2/alerts"
    httpx.post(url, json=body, trust_env=False).raise_for_status()
