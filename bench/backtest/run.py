"""One level of traffic from its schedule to its score."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.backtest.database import Database, read_series
from bench.backtest.replay import replay
from bench.backtest.score import Score, score
from bench.backtest.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.backtest.happenings import Happening
    from bench.backtest.traffic import Level
    from grafana.source.alerts import Rule

__all__ = ["Story", "run"]


@dataclass(frozen=True)
class Story:
    """What happens at one level of traffic between two times, and the rules that watch it."""

    level: Level
    seed: int
    happenings: Sequence[Happening]
    start: int
    end: int


def run(story: Story, rules: Sequence[Rule], binaries: Mapping[str, Path]) -> list[Score]:
    """Live through it, replay the rules, and score them."""
    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        database = Database(Path(folder), binaries)
        world = World(story.level, story.seed, story.happenings, read_series(*(rule.expr for rule in rules)))
        database.write(world, story.start, story.end)
        database.record(story.start, story.end)
        fired = replay(database, rules, story.start, story.end)
    return score(story.level, rules, story.happenings, fired)
