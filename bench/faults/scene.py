"""One set of servers with proxies before the stores, senders, and what watches them: where a fault happens."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bench.faults.lag import SampleLag, SpanLag
from bench.faults.proxy import HEALTHY, Behaviour, Proxy, between
from bench.faults.senders import Ledger, Load, MetricSender, Sender, SpanSender
from bench.faults.servers import COLLECTOR, Place, Server, quiet, servers
from bench.faults.stores import Found, compare
from bench.faults.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Scene", "Setting", "lags", "scene"]

_STUCK_SECONDS, _QUIET_SECONDS = 60.0, 0.6


@dataclass(frozen=True)
class Setting:
    """What is special about a scene."""

    environ: dict[str, str] = field(default_factory=dict)
    """Variables of the Collector's configuration."""
    overlay: dict[str, Any] = field(default_factory=dict)
    """Laid over the Collector's configuration."""
    disk: str = ""
    """Size of a small disk of its own for the queue; needs root."""
    spans: Load = field(default_factory=Load)
    samples: Load = field(default_factory=Load)
    senders: int = 1
    """Of each signal."""


@dataclass
class Scene:
    """Running servers and senders."""

    place: Place
    setting: Setting
    servers: dict[str, Server]
    prometheus: Proxy
    jaeger: Proxy
    watch: Watch
    ledger: Ledger = field(default_factory=Ledger)
    senders: list[Sender] = field(default_factory=list)
    lost_in_files: Found = field(default_factory=Found)
    """Of what was in queue files that the fault has damaged."""

    @property
    def collector(self) -> Server:
        """The Collector."""
        return self.servers[COLLECTOR]

    @property
    def queue(self) -> Path:
        """The folder of the Collector's queues."""
        return self.watch.queue

    def behave(self, behaviour: Behaviour) -> None:
        """Let both stores behave so."""
        self.prometheus.behave(behaviour)
        self.jaeger.behave(behaviour)

    def add(self, kind: type[Sender], name: str, load: Load) -> Sender:
        """Start one more sender."""
        sender = kind(self.place.url("OTLP_HTTP_PORT"), self.ledger, name, load)
        self.senders.append(sender)
        sender.start()
        return sender

    def found(self) -> Found:
        """Compare the stores with the ledger now."""
        with self.ledger.lock:
            return compare(self.ledger, self.place.url("PROMETHEUS_PORT"), self.place.url("JAEGER_PORT"), time.time())

    def drain(self) -> float:
        """Stop the senders and wait until nothing waits in a queue, or nothing moves; the seconds that took."""
        for sender in self.senders:
            sender.stop()
        began = moved = time.monotonic()
        least = float("inf")
        while time.monotonic() - moved < (_STUCK_SECONDS if least else _QUIET_SECONDS):
            time.sleep(0.2)
            if self.watch.look() and self.watch.queued < least:
                least, moved = self.watch.queued, time.monotonic()
        return moved - began


@contextmanager
def scene(setting: Setting | None = None) -> Iterator[Scene]:
    """Start everything, senders included, and end it with the block."""
    chosen = setting or Setting()
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="faults-")))
        made = _servers(chosen, folder, ends)
        for server in made.servers.values():
            ends.callback(server.stop)
            server.start()
        made.watch.start()
        ends.callback(made.watch.stop)
        for number in range(chosen.senders):
            made.add(SpanSender, f"spans-{number}", chosen.spans)
            made.add(MetricSender, f"samples-{number}", chosen.samples)
        ends.callback(_stop_senders, made)
        ends.callback(made.behave, HEALTHY)
        yield made


def _stop_senders(made: Scene) -> None:
    for sender in made.senders:
        sender.stop()


def _servers(setting: Setting, folder: Path, ends: ExitStack) -> Scene:
    place = Place(folder)
    prometheus = ends.enter_context(between(f"127.0.0.1:{place.ports['PROMETHEUS_PORT']}"))
    jaeger = ends.enter_context(between(f"127.0.0.1:{place.ports['JAEGER_OTLP_PORT']}"))
    place.extra.update(
        setting.environ,
        PROMETHEUS_WRITE_ENDPOINT=f"{prometheus.url}/api/v1/write",
        JAEGER_OTLP_ENDPOINT=jaeger.url,
    )
    queue = folder / "collector" / "queue"
    if setting.disk:
        _mount(queue, setting.disk, ends)
    found = servers(place, _overlays(setting, folder))
    watch = Watch(f"{place.url('COLLECTOR_METRICS_PORT')}/metrics", found[COLLECTOR], queue)
    return Scene(place, setting, found, prometheus, jaeger, watch)


def _overlays(setting: Setting, folder: Path) -> tuple[Path, ...]:
    overlay = folder / "overlay.yaml"
    overlay.write_text(yaml.safe_dump(setting.overlay), encoding="utf-8")
    return quiet(folder), overlay


def _mount(folder: Path, size: str, ends: ExitStack) -> None:
    mount, umount = shutil.which("mount") or "mount", shutil.which("umount") or "umount"
    folder.mkdir(parents=True)
    subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)  # noqa: S603
    ends.callback(subprocess.run, [umount, "--lazy", str(folder)], check=True)


@contextmanager
def lags(made: Scene) -> Iterator[tuple[SpanLag, SampleLag]]:
    """Measure, until the block is left, how long what was acknowledged takes to be stored."""
    spans = SpanLag(made.ledger, made.place.url("JAEGER_PORT"))
    samples = SampleLag(made.ledger, made.place.url("PROMETHEUS_PORT"))
    spans.start()
    samples.start()
    yield spans, samples
    spans.stop()
    samples.stop()
