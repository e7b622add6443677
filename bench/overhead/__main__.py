"""`python -m stack exec python -m bench.overhead`: what each variant costs, as ratios to the bare application.

Each round starts a process of each variant and of the bare application beside it, and nothing else, and asks them by
turns, so that what else the machine does touches both alike; CPU is that of the whole process, all threads, sending
included.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from bench.overhead.measure import BARE, WORKLOADS, Figures, measure
from bench.overhead.servers import Server, ground, start
from bench.overhead.starting import starts_table
from bench.overhead.variants import VARIANTS
from stack.settings import ROOT

PAGE = ROOT / "docs" / "performance.md"
HEAD = """# Performance

Written by `make bench`: {machine}.

Every variant is a process with one uvicorn worker, the same application and ten more routes. Each round, in an order
drawn anew, starts one and a process of the bare application, alone on the machine, and asks both by turns of a fraction
of a second, so that what else the machine does touches both alike. `CPU` is the processor time of the whole process a
request, sending included, against the bare application's beside it: the median over the rounds and its quartiles.
`added` is what that is in time; `rate`, `p50` and `p99` are ratios as well. "bare" is one more process of the bare
application: how far its figures lie from 1, and from each other, is how far everybody's may. A start finds the code
compiled. Both begin a load with all garbage collected: to look through all objects takes 0.2 s, which would be a tenth
of the load of whoever comes to it first. What they collect from then on counts.

"ours 10%" records a tenth of the traces, and Sentry gets a tenth of all, as the plan's production does; "ours 100%"
records all, Sentry the same tenth. The peers record and send that share by their own protocol.
"""
INSTRUCTIONS = """
## In instructions

Time on a shared machine differs by a tenth from one second to the next; the number of instructions does not. These are
user space's, of all threads, sending spans and transactions included, in thousands a request and against the bare
application's (`python -m stack exec python -m bench.overhead.instructions --write`, under valgrind). Not among them are
waiting for the interpreter's lock, what is done by the clock, and garbage collection, which many requests share.
To be counted on a machine that does nothing else: how many answers come at once changes all rows.

```
{table}```
"""
COUNTED = Path(__file__).parent / "instructions.txt"


def main() -> int:
    """Run, and print a table a workload."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), help="names, all of them unless given")
    parser.add_argument("--workloads", nargs="*", default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="write the tables to docs/performance.md, too")
    options = parser.parse_args()
    names = [BARE, *(name for name in options.variants if name != BARE)]
    figures = {workload: {name: Figures() for name in names} for workload in options.workloads}
    with ExitStack() as running:
        servers = run(names, figures, options.rounds, *ground(running))
    tables = [starts_table(servers), *(table(workload, found) for workload, found in figures.items())]
    print(*tables, sep="\n")
    if options.write:
        PAGE.write_text(page(tables, options.rounds))
    return 0


def run(
    names: list[str], figures: dict[str, dict[str, Figures]], rounds: int, python: Path, environ: dict[str, str]
) -> dict[str, list[Server]]:
    """Measure each variant beside the bare application; return its servers of each round, as they started.

    Two at a time: a dozen processes wake a hundred times a second even where nobody asks them.
    """
    order = random.Random(1)
    servers: dict[str, list[Server]] = {name: [] for name in names}
    with ExitStack() as compiling:
        start(names, python, environ, compiling)
    for number in range(rounds):
        for name in order.sample(names, len(names)):
            print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            with ExitStack() as running:
                reference, server = start([BARE, name], python, environ, running)
                servers[name].append(server)
                for workload, found in figures.items():
                    measure(reference, server, WORKLOADS[workload], found[name])
    return servers


def page(tables: list[str], rounds: int) -> str:
    """Return the document of a run."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {date.today():%Y-%m-%d}, {rounds} rounds"  # noqa: DTZ011 - the day here
    blocks = "".join(f"\n```\n{text}```\n" for text in tables)
    counted = COUNTED.read_text() if COUNTED.exists() else ""
    return HEAD.format(machine=machine) + blocks + (INSTRUCTIONS.format(table=counted) if counted else "")


def table(workload: str, found: dict[str, Figures]) -> str:
    """Return a workload's figures as text."""
    heads = f"{'':28}{'CPU':>6} {'quartiles':>11} {'added':>9} {'rate':>6} {'p50':>6} {'p99':>6} {'MiB':>5}"
    lines = [f"{workload}: bare {found[BARE].bare_cpu * 1e6:.0f} us of CPU a request", heads]
    for name, figures in found.items():
        cpu, low, high = figures.ratio("cpu")
        ratios = [figures.ratio(what)[0] for what in ("rate", "p50", "p99")]
        lines.append(
            f"{name:28}{cpu:6.2f} {low:5.2f}-{high:4.2f} {(cpu - 1) * figures.bare_cpu * 1e6:6.0f} us "
            + " ".join(f"{ratio:6.2f}" for ratio in ratios) + f" {figures.memory / 2**20:5.0f}"
        )  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
