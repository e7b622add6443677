"""Tables."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.backtest.reach import time_of
from bench.backtest.schedule import BEGIN, WEEK, DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.backtest.score import Score

__all__ = ["good", "lines"]


def good(scores: Sequence[Score]) -> bool:
    return not any(score.missed or score.wrong for score in scores)


def when(at):
    w, r = divmod(int(at - BEGIN), WEEK); d, r = divmod(r, DAY)
    return f"w{w} d{d} {r/3600:05.2f}h"

def lines(scores):
    for s in scores:
        took = [f.after for f in s.found if f.after is not None]
        cl = [f.cleared for f in s.found if f.cleared is not None]
        yield f"{s.level.name:6} {s.rule.name:28} must {len(s.found):2} missed {len(s.missed):2} right {len(s.right):3} wrong {len(s.wrong):3} page {len(s.false_pages)} ttd {median(took or [0])/60:7.1f} {max(took or [0])/60:7.1f} of {2*time_of(s.rule)/60:.0f} ttc {median(cl or [0])/60:.1f} {max(cl or [0])/60:.1f}"
        for f in s.found:
            if f.incident in s.missed: yield f"    missed {f.incident.kind.name} {when(f.incident.start)} since {when(f.incident.since or 0)} after {f.after}"
        for w in s.wrong[:12]: yield f"    wrong {when(w.start)} {(w.end-w.start)/60:.1f}m {w.series}"
