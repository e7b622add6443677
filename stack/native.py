"""Native mode: process-compose runs stack/native.yaml, detached, answering on a unix socket only this user can open."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from stack.build.recipes import RECIPES, binary_path
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stack.settings import Settings

__all__ = [
    "clean_environment",
    "grafana_binary",
    "is_running",
    "leftovers",
    "processes",
    "recipe_file",
    "socket_path",
    "start",
    "stop",
]

# In the environment of every process we start, and of no other: what carries it is ours to end.
MARK = "HEALTH_AGENT_STACK"
_MAX_SOCKET_PATH = 100  # the kernel's limit is 108 bytes
_STOP_SECONDS = 30


def grafana_binary(settings: Settings) -> str:
    """The grafana to run, empty if there is none; StackError if GRAFANA_BIN names nothing that runs."""
    named = settings.options["GRAFANA_BIN"]
    if named and not os.access(named, os.X_OK):
        raise StackError(f'GRAFANA_BIN must name a program (got "{named}").', todo="Unset it to go without Grafana.")
    return named or shutil.which("grafana", path=settings.environ.get("PATH")) or ""


def socket_path(settings: Settings) -> Path:
    """process-compose's socket: in the data folder, or in a short private one where that path is too long."""
    path = settings.data / "supervisor.sock"
    if len(str(path)) <= _MAX_SOCKET_PATH:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"health-agent-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise StackError(f"{folder} belongs to somebody else.", todo="Move the data: STACK_DATA_DIR=a shorter path.")
    return folder / "supervisor.sock"


def _ask(settings: Settings, method: str, path: str) -> Any:  # noqa: ANN401 - JSON
    transport = httpx.HTTPTransport(uds=str(socket_path(settings)))
    with httpx.Client(transport=transport, base_url="http://supervisor", timeout=5.0) as http:
        return http.request(method, path).raise_for_status().json()


def is_running(settings: Settings) -> bool:
    """True if the supervisor answers."""
    try:
        _ask(settings, "GET", "/live")
    except (httpx.HTTPError, ValueError):
        return False
    return True


def processes(settings: Settings) -> dict[str, dict[str, Any]]:
    """What the supervisor knows of each process, by name; empty if it does not answer."""
    try:
        return {entry["name"]: entry for entry in _ask(settings, "GET", "/processes")["data"]}
    except (httpx.HTTPError, ValueError):
        return {}


def start(settings: Settings, names: Iterable[str], environment: Mapping[str, str]) -> None:
    """Start the supervisor with these processes of native.yaml, detached from this terminal."""
    logs = settings.data / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    recipe = next(recipe for recipe in RECIPES if recipe.name == "process-compose")
    socket = socket_path(settings)
    socket.unlink(missing_ok=True)
    command = [
        str(binary_path(settings, recipe.name, recipe.version)),
        "up",
        *names,
        *("--tui=false", "--disable-dotenv", "--keep-project"),
        *("--config", str(recipe_file(settings))),
        *("--use-uds", "--unix-socket", str(socket)),
        *("--log-file", str(logs / "supervisor.log")),
    ]
    with (logs / "supervisor.out").open("wb") as out:
        supervisor = subprocess.Popen(
            command,
            cwd=settings.data,
            env={**clean_environment(), MARK: str(settings.data), **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # repeats every line of the servers
            stderr=out,
            start_new_session=True,
        )
    _wait_for_socket(settings, supervisor, logs / "supervisor.out")


def recipe_file(settings: Settings) -> Path:
    """The file process-compose runs."""
    return settings.root / "stack" / "native.yaml"


def clean_environment() -> dict[str, str]:
    """Little of the caller's: an OTEL_* or SENTRY_* of a developer's shell would change the servers themselves."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "LANG", "PATH", "TMPDIR", "USER")}
    return {**kept, "NO_PROXY": "127.0.0.1,localhost"}


def _wait_for_socket(settings: Settings, supervisor: subprocess.Popen[bytes], out: Path) -> None:
    deadline = time.monotonic() + 10
    while not is_running(settings):
        if supervisor.poll() is not None or time.monotonic() > deadline:
            words = out.read_text(encoding="utf-8", errors="replace")[-2000:]
            stop(settings)
            raise StackError("process-compose did not start.", detail=words)
        time.sleep(0.02)


def stop(settings: Settings) -> list[str]:
    """End every process of this stack; return the names of those that had to be killed."""
    ours = leftovers(settings)
    supervisors = [process for process in ours if "process-compose" in _name(process)]
    for supervisor in supervisors:
        supervisor.terminate()  # it stops the others, each with the patience native.yaml grants it
    # Without a supervisor nobody has told the others to stop, so there is nothing to wait for.
    _, alive = psutil.wait_procs(ours, timeout=_STOP_SECONDS if supervisors else 0)
    for process in alive:
        process.terminate()
    _, alive = psutil.wait_procs(alive, timeout=5)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=5)
    socket_path(settings).unlink(missing_ok=True)
    return [str(process.pid) for process in alive]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""


def leftovers(settings: Settings) -> list[psutil.Process]:
    """The processes of this stack that are alive: supervisor and servers, also after the supervisor was killed."""
    mark = str(settings.data)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found
