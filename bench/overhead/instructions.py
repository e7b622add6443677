"""`python -m stack exec python -m bench.overhead.instructions`: what each variant costs in instructions a request.

Time on a shared machine differs by a tenth from one second to the next; the number of instructions does not. They are
those of user space, all threads, sending included; what waiting for the interpreter's lock costs is not among them.
Each variant runs under `valgrind --tool=callgrind`, fifty times slower, one after the other: two minutes each.
So what is done so often a second, whatever comes in, is measured apart and taken off, metrics are not exported, and no
garbage is collected in cycles.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.overhead.__main__ import COUNTED
from bench.overhead.load import send
from bench.overhead.measure import BARE, WORKLOADS, Workload
from bench.overhead.servers import Process, ground
from bench.overhead.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = (
    BARE, "ours 100%", "ours 10%", "ours 1%", "ours 10%, no Sentry", "ours 100%, no Sentry", "ours 100%, all off",
    "OTel 100%", "OTel 10%", "OTel tuned 10%", "Sentry 10%", "logfire 10%", "elastic-apm 10%",
)  # fmt: skip
REQUESTS = {
    "JSON only, 100 connections": 1200,
    "one SELECT, 100 connections": 500,
    "a Telegram text, agent with two tool calls, 10 at once": 24,
}
QUIET = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000", "OTEL_BSP_SCHEDULE_DELAY": "5000", "BENCH_GC": "off"}
_START_SECONDS, _SETTLE_SECONDS = 400.0, 8.0
_TOTAL = re.compile(r"^totals: (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Counted:
    """A server under callgrind, and where that writes."""

    server: Process
    folder: Path

    def ask(self, workload: Workload) -> float:
        """Return the thousands of instructions a request, after a warm-up."""
        load = replace(workload.load, requests=REQUESTS[workload.name], connections=min(workload.load.connections, 20))
        for _ in range(2):
            asyncio.run(send(load, self.server.port))
        time.sleep(_SETTLE_SECONDS)
        self._control("--instr=on")
        idle, idle_seconds = self._during(lambda: None)
        busy, seconds = self._during(lambda: asyncio.run(send(load, self.server.port)))
        self._control("--instr=off")
        return (busy - idle * seconds / idle_seconds) / load.requests / 1000

    def _during(self, work: Callable[[], object]) -> tuple[int, float]:
        """Return the instructions and the seconds of some work and of what is sent after it."""
        self._control("--zero")
        start = time.monotonic()
        work()
        time.sleep(_SETTLE_SECONDS)
        seconds = time.monotonic() - start
        for old in self.folder.iterdir():
            old.unlink()
        self._control("--dump")
        dumped = (found for file in self.folder.iterdir() for found in _TOTAL.findall(file.read_text()))
        return sum(map(int, dumped)), seconds

    def _control(self, what: str) -> None:
        command = ["callgrind_control", what, str(self.server.pid)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own


def main() -> int:
    """Run, print, and write what is put into docs/performance.md."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead.instructions", description=__doc__)
    parser.add_argument("--variants", nargs="*", default=NAMES)
    parser.add_argument("--workloads", nargs="*", default=list(REQUESTS))
    parser.add_argument("--write", action="store_true", help=f"write {COUNTED.name}, a part of make bench's page")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        sys.exit("valgrind is not installed: it counts the instructions (apt install valgrind)")
    lines = [f"{'':28}" + "".join(f"{name.split(',')[0][:20]:>24}" for name in options.workloads)]
    print(lines[0], flush=True)
    bare: list[float] = []
    with ExitStack() as running:
        python, environ = ground(running)
        for name in (BARE, *(name for name in options.variants if name != BARE)):
            counts = count(name, python, environ, options.workloads)
            bare = bare or counts
            lines.append(
                f"{name:28}" + "".join(f"{n:15,.0f} k {n / b:6.2f}" for n, b in zip(counts, bare, strict=True))
            )
            print(lines[-1], flush=True)
    if options.write:
        COUNTED.write_text("\n".join(lines) + "\n")
    return 0


def count(name: str, python: Path, environ: dict[str, str], workloads: list[str]) -> list[float]:
    """Return a variant's thousands of instructions a request, one number a workload."""
    with tempfile.TemporaryDirectory() as folder:
        # Counted is from when it is asked for: to start and to warm up takes a tenth of the time so.
        command = ["valgrind", "--tool=callgrind", "-q", "--instr-atstart=no", f"--callgrind-out-file={folder}/out.%p"]
        command += [str(python), "-W", "ignore", "-m", "bench.overhead.app", name]
        server = Process(command, environ | VARIANTS[name].environ | QUIET)
        try:
            server.wait(_START_SECONDS)
            return [Counted(server, Path(folder)).ask(WORKLOADS[each]) for each in workloads]
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
