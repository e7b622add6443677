"""How long things take: log-normal, with a heavy tail."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

__all__ = ["ANSWER", "LAG", "QUERY", "REQUEST", "Latency"]


@dataclass(frozen=True)
class Latency:
    """Median and spread (of the logarithm), and a share `odd` of cases with a median and wide spread of their own."""

    median: float
    spread: float
    odd: float
    odd_median: float
    odd_spread: float = 1.0

    def times(self, factor: float) -> Latency:
        """Return the same, slower by a factor."""
        return replace(self, median=self.median * factor, odd_median=self.odd_median * factor) if factor != 1 else self

    @cache  # noqa: B019 - a handful of them live for the whole run
    def above(self, limit: float) -> float:
        """Return the share that takes longer."""
        usual, odd = _above(limit, self.median, self.spread), _above(limit, self.odd_median, self.odd_spread)
        return (1 - self.odd) * usual + self.odd * odd

    @cache  # noqa: B019
    def shares(self, bounds: tuple[float, ...]) -> tuple[float, ...]:
        """Return the share in each bucket, that above the last bound included."""
        over = [1.0, *(self.above(bound) for bound in bounds), 0.0]
        return tuple(before - after for before, after in pairwise(over))


def _above(limit: float, median: float, spread: float) -> float:
    return math.erfc(math.log(limit / median) / spread / math.sqrt(2)) / 2


REQUEST = Latency(0.04, 0.8, 0.005, 0.8)
QUERY = Latency(0.004, 0.7, 0.004, 0.06)
ANSWER = Latency(2.5, 0.5, 0.02, 5.0, 0.7)
LAG = Latency(0.001, 0.8, 0.0005, 0.03)
