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

__all__ = ["IN_TIME", "Found", "Score", "score"]

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
    right: list[Firing] = field(default_factory=list)
    wrong: list[Firing] = field(default_factory=list)

    @property
    def missed(self) -> list[Happening]:
        """The incidents that it promised to find and did not find in time."""
        limit = IN_TIME * time_of(self.rule)
        return [found.incident for found in self.found if found.after is None or found.after > limit]

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
    expected = [incident for incident in allowed if rule.name in incident.kind.must]
    result.found = [_found(rule, incident, result.right) for incident in expected if promised(rule, incident, level)]
    return result


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
