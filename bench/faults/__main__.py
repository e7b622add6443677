"""Run faults and print the table; exits 1 where something is unaccounted for."""

from __future__ import annotations

import argparse
import sys

from bench.faults.faults import FAULTS
from bench.faults.run import Pace, run
from bench.faults.table import HEAD, line, markdown


def main() -> int:
    """Return the exit code."""
    options = _options()
    rows = []
    print(HEAD, flush=True)
    for fault in FAULTS:
        if options.only in fault.name:
            rows.append(run(fault, Pace(during=options.seconds)))
            print(line(rows[-1]), flush=True)
    if options.markdown:
        print(markdown(rows))
    return int(any(row.problems for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORDS", help="faults with these words in their name")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each fault lasts (60)")
    parser.add_argument("--markdown", action="store_true", help="print the documents' table as well")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
