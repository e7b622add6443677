"""Two agents, some gateways and the stores, all on loopback; the agents find the gateways by name, as in a cluster."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.faults.servers import JAEGER, PROMETHEUS, Place, Server, quiet, servers
from stack import build, native, settings
from stack.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Tier", "tier"]

_NAME = "gateways.test"
_ADDRESSES = tuple(f"127.0.0.{last}" for last in range(2, 10))
_FOLDER = settings.ROOT / "collector"
_GATE = "--feature-gates=exporter.prometheusremotewritexporter.RetryOn429"


@dataclass
class Tier:
    """What runs: agents by their OTLP address, gateways by their host."""

    folder: Path
    gateway_settings: dict[str, str]
    """Variables of collector/gateway/gateway.yaml."""
    stores: Place
    agents: dict[str, Server] = field(default_factory=dict)
    gateways: dict[str, Server] = field(default_factory=dict)
    _port: str = field(default_factory=lambda: free_ports(["gateways"])["gateways"])
    _known: list[str] = field(default_factory=list)

    @property
    def hosts(self) -> Path:
        """What the agents see as /etc/hosts."""
        return self.folder / "hosts"

    def start_gateway(self) -> str:
        """Start one more gateway, which no agent knows yet; its address."""
        address = _ADDRESSES[len(self.gateways)]
        place = Place(
            self.folder / address,
            self._variables() | {"COLLECTOR_BIND": address, "OTLP_BIND": address} | self.gateway_settings,
        )
        place.ports["OTLP_GRPC_PORT"] = self._port
        server = _member(place, "gateway.yaml")
        server.start()
        self.gateways[address] = server
        return address

    def start_agent(self) -> None:
        """Start one more agent."""
        members = {"GATEWAY_HOST": _NAME, "GATEWAY_PORT": self._port}
        place = Place(self.folder / f"agent-{len(self.agents)}", self._variables() | members)
        server = _member(place, "agent.yaml")
        server.command[:0] = _with_hosts(self.hosts)
        server.start()
        self.agents[place.url("OTLP_HTTP_PORT")] = server

    def announce(self, address: str) -> None:
        """Let the name resolve to this gateway as well; agents see it within ten seconds."""
        self._know([*self._known, address])

    def withdraw(self, address: str) -> None:
        """Let the name no longer resolve to this gateway."""
        self._know([known for known in self._known if known != address])

    def kill(self, address: str) -> None:
        """End a gateway without a word."""
        self.gateways[address].stop(signal.SIGKILL)

    def stop(self) -> None:
        """End all agents, and the gateways that still run."""
        for server in (*self.agents.values(), *self.gateways.values()):
            server.stop()

    def _variables(self) -> dict[str, str]:
        return {
            "JAEGER_OTLP_ENDPOINT": self.stores.url("JAEGER_OTLP_PORT"),
            "PROMETHEUS_WRITE_ENDPOINT": f"{self.stores.url('PROMETHEUS_PORT')}/api/v1/write",
        }

    def _know(self, addresses: list[str]) -> None:
        """Write in place: the file is mounted, and must never be seen empty."""
        self._known = addresses
        text = "127.0.0.1 localhost\n" + "".join(f"{address} {_NAME}\n" for address in addresses)
        with self.hosts.open("r+" if self.hosts.exists() else "w", encoding="utf-8") as file:
            file.write(text)
            file.truncate()


def _member(place: Place, overlay: str) -> Server:
    """Return an agent or a gateway, not started: the configuration of the stack with this file laid over it."""
    chosen = settings.load(dict(os.environ))
    (place.folder / "logs").mkdir(parents=True)
    files = (_FOLDER / "config.yaml", _FOLDER / "gateway" / overlay, quiet(place.folder))
    command = [str(build.gateway(chosen)), *(f"--config={path}" for path in files), _GATE]
    environment = {**native.clean_environment(), **place.environment(), "GOMEMLIMIT": "450MiB"}
    log = place.folder / "logs" / "collector.log"
    return Server(overlay, command, environment, place.url("COLLECTOR_HEALTH_PORT"), log)


def _with_hosts(hosts: Path) -> list[str]:
    """Run what follows with another /etc/hosts, as the same process."""
    as_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    return [shutil.which("unshare") or "unshare", "--mount", *as_root, "sh", "-c", script, str(hosts)]


@contextmanager
def tier(folder: Path, gateway_settings: dict[str, str]) -> Iterator[Tier]:
    """Run two agents, two gateways and the stores until the block is left."""
    with ExitStack() as ends:
        made = Tier(folder, gateway_settings, Place(folder))
        for name, server in servers(made.stores).items():
            if name in (JAEGER, PROMETHEUS):
                ends.callback(server.stop)
                server.start()
        ends.callback(made.stop)
        for _ in range(2):
            made.announce(made.start_gateway())
        for _ in range(2):
            made.start_agent()
        yield made
