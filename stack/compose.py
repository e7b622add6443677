"""Docker mode: `docker compose` runs compose.yaml."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from stack import door, passwords
from stack.build.progress import say
from stack.delivery import channels, grafana
from stack.errors import StackError
from stack.settings import COLLECTOR_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stack.settings import Settings

__all__ = [
    "bugsink_shell",
    "delete_volumes",
    "down",
    "environment",
    "has_plugin",
    "is_running",
    "logs",
    "project_name",
    "publishers",
    "states",
    "unavailable",
    "up",
]

_ANSWER_SECONDS = 5
# Their images have no shell; a neighbour asks for them.
_PROBED_FROM_OUTSIDE = ("collector", "tempo")


def unavailable() -> str:
    """Why Docker cannot be used, empty if it can."""
    if not _answers("docker", "version", "--format", "{{.Server.Version}}"):
        return "no Docker engine answers"
    return "" if has_plugin() else "the docker command has no compose plugin"


def has_plugin() -> bool:
    """True if compose.yaml can be read, with an engine or without."""
    return _answers("docker", "compose", "version")


def _answers(*command: str) -> bool:
    try:
        subprocess.run(command, capture_output=True, check=True, timeout=_ANSWER_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def environment(settings: Settings, secrets: Mapping[str, str]) -> dict[str, str]:
    """What compose.yaml is read with."""
    return {
        **os.environ,
        **{name: str(port) for name, port in settings.ports.items()},
        **{name: settings.options[name] for name in (*COLLECTOR_OPTIONS, "SENTRY_EVENT_URL")},
        **_door(settings),
        **grafana.environment(settings, channels.load(settings)),
        **secrets,
    }


def _door(settings: Settings) -> dict[str, str]:
    """As natively; what is mounted must exist."""
    found = {"OTLP_TLS_CERT": "/dev/null", "OTLP_TLS_KEY": "/dev/null"} | door.collector_variables(settings)
    return found | {"OTLP_PUBLISHED_ON": found["OTLP_BIND"]}


def project_name(settings: Settings) -> str:
    """The Compose project; a data folder of its own makes another one, so that a test never meets a running stack."""
    return "health-agent" if settings.data == settings.root / ".stack" else f"health-agent-{settings.data.name}".lower()


def _compose(settings: Settings) -> list[str]:
    file = str(settings.root / "compose.yaml")
    return ["docker", "compose", "--project-name", project_name(settings), "--file", file]


def up(settings: Settings, parts: Iterable[str], env: Mapping[str, str]) -> None:
    """Start the services of these parts and wait for their health checks; first look through the Collector's queue."""
    if "collector" in parts:
        _guard_queue(settings, env)
    services = [*parts, *(f"{part}-health" for part in parts if part in _PROBED_FROM_OUTSIDE)]
    with_tempo = "[otlp_http/jaeger, otlp_http/tempo]" if "tempo" in services else "[otlp_http/jaeger]"
    _run(
        [*_compose(settings), "up", "--detach", "--wait", "--no-deps", *services],
        {**env, "TRACE_EXPORTERS": with_tempo},
    )


def _guard_queue(settings: Settings, env: Mapping[str, str]) -> None:
    try:
        _run([*_compose(settings), "run", "--rm", "--no-deps", "queue-guard"], env)
    except StackError as error:
        say(f"The Collector's queue was not looked through before its start: {error}")


def _run(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    full = dict(env or os.environ)
    for name in passwords.NAMES:
        full.setdefault(name, "unused")  # compose.yaml refuses to be read without them
    done = subprocess.run(command, env=full, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise StackError("docker compose failed.", detail=words, todo="`make logs` shows the parts' own words.")
    return done.stdout


def states(settings: Settings) -> dict[str, str]:
    """`healthy`, `unhealthy`, `running`, `exited` ... by service."""
    listed = _run([*_compose(settings), "ps", "--all", "--format", "json"])
    entries = [json.loads(line) for line in listed.splitlines() if line.strip()]
    return {entry["Service"]: entry.get("Health") or entry["State"] for entry in entries}


def publishers(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """The ports that each service publishes on this machine: `URL`, `PublishedPort`."""
    listed = _run([*_compose(settings), "ps", "--format", "json"])
    entries = [json.loads(line) for line in listed.splitlines() if line.strip()]
    return {entry["Service"]: entry.get("Publishers") or [] for entry in entries}


def is_running(settings: Settings) -> bool:
    """True if any container of this stack runs."""
    return any(state not in ("exited", "dead", "created") for state in states(settings).values())


def down(settings: Settings) -> None:
    """Stop and remove the containers; the volumes stay."""
    _run([*_compose(settings), "down", "--remove-orphans"])


def delete_volumes(settings: Settings) -> None:
    """Delete the data."""
    _run([*_compose(settings), "down", "--volumes", "--remove-orphans"])


def bugsink_shell(settings: Settings) -> list[str]:
    """The command that feeds a script to Bugsink's own Python."""
    return [*_compose(settings), "exec", "-T", "bugsink", "bugsink-manage", "shell"]


def logs(settings: Settings, part: str) -> str:
    """The last lines of a service, of all of them without a name."""
    return _run([*_compose(settings), "logs", "--no-color", "--tail", "200", *([part] if part else [])])
