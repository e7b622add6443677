"""`python -m stack exec python -m bench.overhead`: what each variant costs, as ratios to the bare application.

All variants run at once and are asked in turn, in rounds, so that what else the machine does touches them alike; CPU is
that of the whole process, all threads, sending included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg

from bench.overhead.measure import BARE, WORKLOADS, Figures, measure
from bench.overhead.servers import Server, Sink, environment
from bench.overhead.variants import VARIANTS
from examples.health_agent.embedded import passing_url
from stack import settings
from stack.build.venv import ensure_venv

TABLES = """
CREATE TABLE foods (id int PRIMARY KEY, name text, kcal int);
INSERT INTO foods SELECT number, 'food ' || number, number FROM generate_series(0, 999) number;
CREATE TABLE entries (food int, grams int);
CREATE INDEX ON entries (food);
"""


def main() -> int:
    """Run, and print a table a workload."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), help="names, all of them unless given")
    parser.add_argument("--workloads", nargs="*", default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    names = [BARE, *(name for name in options.variants if name != BARE)]
    with ExitStack() as running:
        servers = start(names, running)
        for workload in options.workloads:
            found = measure(servers, WORKLOADS[workload], options.rounds)
            print(table(workload, found), flush=True)
    return 0


def start(names: list[str], running: ExitStack) -> list[Server]:
    """Start a database, a sink and a server a variant; all end with `running`."""
    python = ensure_venv(settings.load(), "peers") / "bin/python"
    database = passing_url()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(TABLES.encode())
    sink = Sink(Path(sys.executable))
    running.callback(sink.stop)
    sink.wait()
    environ = environment(sink.port, os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"), database)
    servers = []
    for name in names:
        server = Server(name, python, environ)
        running.callback(server.stop)
        servers.append(server)
    for server in servers:
        server.wait()
    return servers


def table(workload: str, found: dict[str, Figures]) -> str:
    """Return a workload's figures as text."""
    bare = found[BARE]
    middle = statistics.median(bare.cpu) * 1e6
    heads = f"{'':28}{'CPU':>6} {'quartiles':>11} {'added':>9} {'rate':>6} {'p50':>6} {'p99':>6} {'MiB':>5}"
    lines = [f"{workload}: bare {middle:.0f} us of CPU a request", heads]
    for name, figures in found.items():
        cpu, low, high = figures.against(bare, "cpu")
        ratios = [figures.against(bare, what)[0] for what in ("rate", "p50", "p99")]
        lines.append(
            f"{name:28}{cpu:6.2f} {low:5.2f}-{high:4.2f} {(cpu - 1) * middle:6.0f} us "
            + " ".join(f"{ratio:6.2f}" for ratio in ratios) + f" {figures.memory / 2**20:5.0f}"
        )  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
