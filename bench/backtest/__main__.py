"""`python -m bench.backtest`."""

from __future__ import annotations

import argparse
import sys
import time

from rich.console import Console

from bench.backtest import report
from bench.backtest.run import Story, run
from bench.backtest.schedule import BEGIN, WEEK, WEEKS, happenings
from bench.backtest.traffic import LEVELS
from grafana.source.alert_catalog import RULES
from stack import build, settings

DOCUMENT = settings.ROOT / "docs" / "backtest.md"


def main() -> int:
    """Replay, print, write the document; exit 1 where a rule was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weeks", type=int, default=WEEKS)
    parser.add_argument("--level", choices=[level.name for level in LEVELS], help="one level only; writes no document")
    options = parser.parse_args()
    binaries, console = build.binaries(settings.load()), Console()
    scores = []
    for level in LEVELS:
        if options.level in {None, level.name}:
            began = time.monotonic()
            plan = happenings(level, options.seed, options.weeks)
            story = Story(level, options.seed, plan, BEGIN, BEGIN + options.weeks * WEEK)
            scores += run(story, RULES, binaries)
            console.print(f"{level.name}: {options.weeks} weeks in {time.monotonic() - began:.0f} s")
    for line in report.lines(scores):
        print(line)
    return int(not report.good(scores))


if __name__ == "__main__":
    sys.exit(main())
