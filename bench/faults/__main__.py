"""Run faults and print the table; exits 1 where something is unaccounted for."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench.faults.faults import FAULTS, WITHOUT_STORAGE
from bench.faults.run import Pace, run
from bench.faults.schedule import run_schedule
from bench.faults.table import HEAD, line, markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.faults.faults import Fault
    from bench.faults.run import Row


def main() -> int:
    """Return the exit code."""
    options = _options()
    rows = []
    print(HEAD, flush=True)
    for row in _rows(options):
        print(line(row), flush=True)
        rows.append(row)
    if options.markdown:
        print(markdown(rows))
    return int(any(row.problems for row in rows))


def _rows(options: argparse.Namespace) -> Iterator[Row]:
    if options.seeds:
        yield from (run_schedule(seed, options.seconds) for seed in options.seeds)
        return
    faults = [WITHOUT_STORAGE] if options.without_storage else FAULTS
    yield from (run(fault, Pace(during=options.seconds)) for fault in faults if _is_meant(fault, options.only))


def _is_meant(fault: Fault, names: Iterable[str]) -> bool:
    return any(name in fault.name for name in names)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="WORDS", default=("",), help="faults with these words in their name"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each fault, or schedule, lasts (60)")
    parser.add_argument("--seeds", type=int, nargs="+", metavar="SEED", help="random schedules instead of the faults")
    parser.add_argument("--without-storage", action="store_true", help="kill a Collector whose queues are in memory")
    parser.add_argument("--markdown", action="store_true", help="print the documents' table as well")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
