"""Run agents and gateways, and print what became of the traces; exits 1 where one that must be whole is not."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from bench.gateway.run import LONG, THREE, TWO, TWO_AGAIN, Pace, Result, run
from bench.gateway.verdict import ABSENT, HEAD, SPLIT, line


def main() -> int:
    """Return the exit code."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        result = run(Path(folder), _pace())
    print(HEAD)
    for phase, verdict in result.phases.items():
        print(line(phase, verdict))
    spans = sum(result.sent.values())
    for tier, cost in result.cost.items():
        each = f"{spans / cost.processor_seconds:,.0f} spans for a second of processor time"
        print(f"{tier}: {each}, {cost.memory_bytes / 2**20:.0f} MiB the largest process")
    counted, sent = (
        sum(number for name, number in of.items() if name.endswith(TWO)) for of in (result.counted, result.sent)
    )
    print(f"of the first phase {counted:,} of {sent:,} spans were counted before sampling")
    return int(_broken(result) > 0)


def _pace() -> Pace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--rate", type=float, default=30.0, metavar="N", help="traces a second, of six spans (30)")
    parser.add_argument(
        "--steady", type=float, metavar="SECONDS",
        help="two gateways for so long, as deployed, and a trace of that length; without it one is added, one killed",
    )  # fmt: skip
    options = parser.parse_args()
    if options.steady is None:
        return Pace(traces_a_second=options.rate)
    return Pace(
        traces_a_second=options.rate,
        long_trace=options.steady,
        wait_after_root=10.0,
        longest_trace=330.0,
        members_change=False,
    )


def _broken(result: Result) -> int:
    """Count what is not whole though no gateway came or went."""
    steady = [result.phases[phase] for phase in (TWO, THREE, TWO_AGAIN, LONG) if phase in result.phases]
    return sum(found.count(SPLIT) + found.count(ABSENT, plain=False) for found in steady)


if __name__ == "__main__":
    sys.exit(main())
