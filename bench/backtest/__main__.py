"""`python -m bench.backtest`: simulated weeks, the real rules, and how right they were.

Takes about fifteen minutes on two cores and 1 GB of disk. Needs `make build`.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console

from bench.backtest.report import document, problems
from bench.backtest.run import Story, run
from bench.backtest.schedule import Plan
from bench.backtest.traffic import LEVELS
from grafana.source.alert_catalog import RULES
from stack import build, settings

if TYPE_CHECKING:
    from bench.backtest.score import Score

DOCUMENT = settings.ROOT / "docs" / "backtest.md"


def main() -> int:
    """Replay, write the document, and print it; exit 1 where a rule was wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtest", description=__doc__)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--weeks", type=int, default=Plan.weeks)
    parser.add_argument("--level", choices=[level.name for level in LEVELS], help="this level only")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.relative_to(settings.ROOT)}")
    options = parser.parse_args()
    binaries, console = build.binaries(settings.load()), Console(stderr=True)
    plan, began = Plan(options.seed, options.weeks), time.monotonic()
    levels = [level for level in LEVELS if options.level in {None, level.name}]

    scores: list[Score] = []
    for level in levels:
        scores += run(Story.of(level, plan), RULES, binaries)
        console.print(f"{level.name}: {plan.weeks} weeks replayed after {time.monotonic() - began:.0f} s")
    print(text := document(scores, plan))
    if options.write:
        DOCUMENT.write_text(text, encoding="utf-8")
    for problem in (found := problems(scores)):
        console.print(f"[red]✗[/] {problem}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
