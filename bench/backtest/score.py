"""What fired, held against what had happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.backtest.promises import promised
from bench.backtest.reach import forgets, time_of
from bench.backtest.schedule import in_harmless_week
from grafana.source.alerts import CRITICAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.backtest.happenings import Happening
    from bench.backtest.replay import Firing
    from bench.backtest.traffic import Level
    from grafana.source.alerts import Rule

__all__ = ["IN_TIME", "Found", "Score", "precision", "recall", "score"]

IN_TIME = 2
"""An incident is found in time within so many times what a rule takes by its own words."""


@dataclass(frozen=True)
class Found:
    """One incident that a rule had to find: seconds until it fired, and from the incident's end until it stopped."""

    incident: Happening
    after: float | None
    cleared: float | None = None


@dataclass
class Score:
    """How one rule did."""

    rule: Rule
    level: Level
    found: list[Found] = field(default_factory=list)
    chances: list[Found] = field(default_factory=list)
    """Incidents of its kind that are smaller than it promises to find."""
    right: list[Firing] = field(default_factory=list)
    wrong: list[Firing] = field(default_factory=list)
    causes: int = 0
    """The incidents that it fired for, each once, however often it did."""

    @property
    def missed(self) -> list[Happening]:
        """The incidents that it promised to find and did not find in time."""
        return [found.incident for found in self.found if found.after is None or found.after > self.limit]

    @property
    def limit(self) -> float:
        """Seconds within which it has to find an incident."""
        return IN_TIME * time_of(self.rule)

    @property
    def false_pages(self) -> list[Firing]:
        """What woke somebody in a week in which nothing happened."""
        critical = self.rule.level.severity == CRITICAL
        return [firing for firing in self.wrong if critical and in_harmless_week(firing.start)]


def score(level: Level, rules: Sequence[Rule], happened: Sequence[Happening], fired: Sequence[Firing]) -> list[Score]:
    """Give each rule its score."""
    incidents = [happening for happening in happened if not happening.kind.harmless]
    by_rule = {rule.name: [firing for firing in fired if firing.rule == rule.name] for rule in rules}
    return [_of_rule(rule, level, incidents, by_rule[rule.name]) for rule in rules]


def _of_rule(rule: Rule, level: Level, incidents: Iterable[Happening], fired: Iterable[Firing]) -> Score:
    result = Score(rule, level)
    allowed = [incident for incident in incidents if _may(rule, incident)]
    for firing in fired:
        (result.right if any(_explains(rule, cause, firing) for cause in allowed) else result.wrong).append(firing)
    result.causes = sum(any(_explains(rule, cause, firing) for firing in fired) for cause in allowed)
    for incident in allowed:
        if rule.name in incident.kind.must:
            of_its_kind = result.found if promised(rule, incident, level) else result.chances
            of_its_kind.append(_found(rule, incident, result.right))
    return result


def precision(scores: Sequence[Score]) -> float:
    """Return the share of right ones among incidents that were told and false alarms; 1 where nothing was told."""
    right, wrong = sum(score.causes for score in scores), sum(len(score.wrong) for score in scores)
    return right / (right + wrong) if right + wrong else 1.0


def recall(scores: Sequence[Score]) -> float:
    """Return the share of promised incidents that were found in time; 1 where none was promised."""
    found, missed = sum(len(score.found) for score in scores), sum(len(score.missed) for score in scores)
    return 1 - missed / found if found else 1.0


def _may(rule: Rule, incident: Happening) -> bool:
    return bool({rule.name, rule.alert.name} & {*incident.kind.must, *incident.kind.may})


def _explains(rule: Rule, incident: Happening, firing: Firing) -> bool:
    """Tell whether a firing began while the incident lasted, or while the rule's shortest window still saw it."""
    return incident.start <= firing.start <= incident.end + forgets(rule)


def _found(rule: Rule, incident: Happening, fired: Iterable[Firing]) -> Found:
    since = incident.start if incident.since is None else incident.since
    during = [firing for firing in fired if _explains(rule, incident, firing)]
    if not during:
        return Found(incident, None)
    return Found(
        incident, min(firing.start for firing in during) - since, max(firing.end for firing in during) - incident.end
    )
