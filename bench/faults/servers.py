"""The servers of native mode, started, stopped and killed by the harness: commands and files are the stack's own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from string import Template
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import yaml

from stack import build, native, settings
from stack.native_environment import native_environment
from stack.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["COLLECTOR", "JAEGER", "PROMETHEUS", "Place", "Server", "quiet", "servers"]

COLLECTOR, PROMETHEUS, JAEGER = "collector", "prometheus", "jaeger"
_READY = {
    COLLECTOR: ("COLLECTOR_HEALTH_PORT", "/"),
    PROMETHEUS: ("PROMETHEUS_PORT", "/-/ready"),
    JAEGER: ("JAEGER_PORT", "/api/services"),
}
_START_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """Ports, folder and variables of one set of servers."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=lambda: free_ports([*settings.PORTS, *settings.INTERNAL_PORTS]))

    def environment(self) -> dict[str, str]:
        """Return the variables that native.yaml and the servers' files read; `extra` wins."""
        ours = {
            "STACK_DATA_DIR": str(self.folder),
            "STACK_WITHOUT": "alertmanager",  # nobody is told of a fault
            "COLLECTOR_ALLOWED_ATTRIBUTES": "series|faults[.].*",
        }
        told = {**os.environ, **self.ports, **ours, **self.extra}
        chosen = settings.load(told)
        return {**native_environment(chosen, build.binaries(chosen), ""), **self.extra}

    def url(self, port: str) -> str:
        """Return the address behind a port variable."""
        return f"http://{self.extra.get('COLLECTOR_BIND', '127.0.0.1')}:{self.ports[port]}"


@dataclass
class Server:
    """One server, as process-compose would run it, without its restarts."""

    name: str
    command: list[str]
    environment: dict[str, str]
    ready_url: str
    log: Path
    _process: psutil.Popen | None = None

    def start(self) -> float:
        """Start it and wait until it answers; the seconds it took."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = psutil.Popen(
                self.command,
                env=self.environment,
                cwd=self.log.parent,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() - began > _START_SECONDS:
                raise RuntimeError(f"{self.name} did not start; its last words:\n{self.words()[-2000:]}")
            time.sleep(0.05)
        return time.monotonic() - began

    def answers(self) -> bool:
        """Tell whether it is ready."""
        try:
            return httpx.get(self.ready_url, trust_env=False, timeout=2).is_success
        except httpx.HTTPError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal and wait for the end; by force after 40 s."""
        if self._process is None:
            return
        self.signal(how)
        try:
            self._process.wait(40)
        except psutil.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it by a signal and start it again."""
        self.stop(how)
        self.start()

    def signal(self, what: signal.Signals) -> None:
        """Send a signal."""
        with suppress(psutil.NoSuchProcess):
            if self._process is not None:
                self._process.send_signal(what)

    def memory(self) -> int:
        """Resident bytes now, 0 while it does not run."""
        try:
            return int(self._process.memory_info().rss) if self._process else 0
        except psutil.Error:
            return 0

    def processor_seconds(self) -> float:
        """Processor time used so far by the running process."""
        times = self._process.cpu_times() if self._process else None
        return times.user + times.system if times else 0.0

    def words(self) -> str:
        """All it has said."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def servers(place: Place, overlays: tuple[Path, ...] = ()) -> dict[str, Server]:
    """Collector, Prometheus and Jaeger by name, not started; `overlays` are laid over the Collector's configuration."""
    recipes = yaml.safe_load((settings.ROOT / "stack" / "native.yaml").read_text(encoding="utf-8"))["processes"]
    environment = place.environment()
    (place.folder / "logs").mkdir(parents=True, exist_ok=True)
    found = {name: _server(name, recipes[name], environment, place) for name in _READY}
    found[COLLECTOR].command += [f"--config={path}" for path in overlays]
    return found


def quiet(folder: Path) -> Path:
    """Write what lets a Collector not send its own metrics, which would be counted with ours."""
    config = yaml.safe_load((settings.ROOT / "collector" / "config.yaml").read_text(encoding="utf-8"))
    readers = [reader for reader in config["service"]["telemetry"]["metrics"]["readers"] if "pull" in reader]
    path = folder / "quiet.yaml"
    path.write_text(yaml.safe_dump({"service": {"telemetry": {"metrics": {"readers": readers}}}}), encoding="utf-8")
    return path


def _server(name: str, recipe: Mapping[str, Any], environment: Mapping[str, str], place: Place) -> Server:
    own = dict(line.split("=", 1) for line in recipe.get("environment", ()))
    command = [Template(word).substitute(environment) for word in recipe["entrypoint"]]
    port, path = _READY[name]
    return Server(
        name,
        command,
        {**native.clean_environment(), **environment, **own},
        place.url(port) + path,
        place.folder / "logs" / f"{name}.log",
    )
