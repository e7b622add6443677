"""One level of traffic from its schedule to its score."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.backtest.database import Database, read_series
from bench.backtest.replay import replay
from bench.backtest.schedule import BEGIN, WEEK, happenings
from bench.backtest.score import score
from bench.backtest.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.backtest.happenings import Happening
    from bench.backtest.schedule import Plan
    from bench.backtest.score import Score
    from bench.backtest.traffic import Level
    from grafana.source.alerts import Rule

__all__ = ["Story", "prepare", "run"]


@dataclass(frozen=True)
class Story:
    """What happens at one level of traffic between two times, and the rules that watch it."""

    level: Level
    seed: int
    happenings: Sequence[Happening]
    start: int
    end: int

    @classmethod
    def of(cls, level: Level, plan: Plan) -> Story:
        """Return the story of a whole plan."""
        return cls(level, plan.seed, happenings(level, plan), BEGIN, BEGIN + plan.weeks * WEEK)


def run(story: Story, rules: Sequence[Rule], binaries: Mapping[str, Path]) -> list[Score]:
    """Replay the rules over a story, and score them."""
    with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
        database = prepare(story, Path(folder), binaries)
        fired = replay(database, rules, story.start, story.end)
    return score(story.level, rules, story.happenings, fired)


def prepare(story: Story, folder: Path, binaries: Mapping[str, Path]) -> Database:
    """Live through it, and write the database of what was reported and recorded."""
    database = Database(folder, binaries)
    database.write(World(story.level, story.seed, story.happenings, read_series()), story.start, story.end)
    database.record(story.start, story.end)
    return database
