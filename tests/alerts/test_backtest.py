"""The backtest in short: a day of the busy service, scored as the eight weeks are; and that it can fail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from bench.backtest.conditions import Conditions
from bench.backtest.database import Database, read_series
from bench.backtest.happenings import Happening, Kind
from bench.backtest.harmless import DEPLOYMENT, HARMLESS
from bench.backtest.incidents import INCIDENTS
from bench.backtest.meter import Meter
from bench.backtest.promises import PROMISES, USUAL_MESSAGES, WAITING, promised
from bench.backtest.replay import replay
from bench.backtest.report import problems
from bench.backtest.run import Story, prepare
from bench.backtest.schedule import BEGIN, Plan, happenings, in_harmless_week
from bench.backtest.score import Score, score
from bench.backtest.traffic import LEVELS, Level
from bench.backtest.world import World
from grafana.source.alert_catalog import ALERTS, RULES
from grafana.source.alerts import Rule
from stack import build, settings
from telemetry import catalog

HOBBY, SMALL, BUSY = LEVELS
BY_NAME = {rule.name: rule for rule in RULES}
KINDS = {kind.name: kind for kind in (*INCIDENTS, *HARMLESS, DEPLOYMENT)}


def fail_a_little(conditions: Conditions, _: float) -> None:
    conditions.api_failing = 0.08


def fail_a_few(conditions: Conditions, _: float) -> None:
    conditions.bot_failing = 0.25


LITTLE = Kind(
    "8 of 100 requests fail", 30, fail_a_little,
    must=("ApiErrorRateWarning", "ApiErrorRateCritical"), may=("ApiBudgetBurns",), bad={"requests": 0.08},
)  # fmt: skip
FEW = Kind("a few messages fail at night", 10, fail_a_few)
DAY: dict[float, Kind] = {
    3.25: FEW, 5: KINDS["crawler"], 6: KINDS["Prometheus away for 15 minutes"], 8: DEPLOYMENT, 9: LITTLE,
    11: KINDS["outage"], 15: KINDS["Jaeger away"], 17.5: KINDS["Collector dead"],
    19: KINDS["remote write blocked, then catching up"], 20.5: KINDS["pool leak"], 23: KINDS["single crash"],
}  # fmt: skip
END = BEGIN + 24 * 3600


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Story, Database]:
    happened = [Happening(kind, BEGIN + hour * 3600) for hour, kind in DAY.items()]
    story = Story(BUSY, 1, happened, BEGIN, END)
    return story, prepare(story, tmp_path_factory.mktemp("day"), build.binaries(settings.load()))


@pytest.fixture(scope="module")
def scores(day: tuple[Story, Database]) -> list[Score]:
    return scored(day, RULES)


def scored(day: tuple[Story, Database], rules: Sequence[Rule]) -> list[Score]:
    story, database = day
    return score(BUSY, rules, story.happenings, replay(database, rules, story.start, story.end))


def test_each_incident_of_a_day_is_found_in_time_and_nothing_else_fires(scores: list[Score]) -> None:
    assert problems(scores) == []
    assert [firing for score in scores for firing in score.wrong] == []
    assert {score.rule.name for score in scores if score.found} >= {
        "ApiErrorRateCritical", "BotErrorRateCritical", "ApiBudgetBurnsCritical1h", "ExporterStuckCritical",
        "CollectorSilentCritical", "DatabasePoolExhaustedCritical",
    }  # fmt: skip


def test_a_threshold_twice_as_high_is_reported_as_a_miss(day: tuple[Story, Database], scores: list[Score]) -> None:
    rule = BY_NAME["ApiErrorRateCritical"]
    broken = replace(rule, level=replace(rule.level, limit=2 * rule.level.limit))
    assert missed(scored(day, [broken])) == [LITTLE.name]


def test_a_rule_without_its_floor_is_reported_as_a_false_alarm(
    day: tuple[Story, Database], scores: list[Score]
) -> None:
    rule = BY_NAME["BotErrorRateCritical"]
    floorless = replace(rule.alert, ask=lambda level: rule.alert.ask(level).replace(">= 5", "> 0"))
    (result,) = scored(day, [replace(rule, alert=floorless)])
    assert [round((firing.start - BEGIN) / 3600) for firing in result.wrong] == [3]


def missed(scores: list[Score]) -> list[str]:
    return [happening.kind.name for score in scores for happening in score.missed]


def test_every_rule_has_an_incident_that_it_must_find() -> None:
    assert {rule for kind in INCIDENTS for rule in kind.must} == set(BY_NAME)


def test_what_may_fire_and_what_promises_something_exists() -> None:
    alerts = {alert.name for alert in ALERTS}
    assert {name for kind in INCIDENTS for name in kind.may} <= alerts | set(BY_NAME)
    assert {*PROMISES, *USUAL_MESSAGES, *WAITING} <= set(BY_NAME)


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_the_weeks_hold_each_incident_and_harmless_weeks_none(level: Level) -> None:
    happened = happenings(level, Plan())
    told = {happening.kind.name for happening in happened if not happening.kind.harmless}
    assert told == {kind.name for kind in INCIDENTS if kind.needs <= level.api_processes}
    in_peace = [happening for happening in happened if in_harmless_week(happening.start)]
    assert {happening.kind.name for happening in in_peace} >= {kind.name for kind in HARMLESS}
    assert all(happening.kind.harmless for happening in in_peace)


def test_a_seed_gives_the_same_weeks_and_the_same_reports_again() -> None:
    plans = [[(h.kind.name, h.start) for h in happenings(SMALL, Plan(seed))] for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]
    hours = [[line for _, lines in World(SMALL, 1, [], read_series()).live(BEGIN, BEGIN + 3600) for line in lines]
             for _ in range(2)]  # fmt: skip
    assert hours[0] == hours[1]


def cpu_times(kind: Kind) -> dict[str, list[float]]:
    """Return what a process's processor time was in an hour in which this happened, by the process's name."""
    happened = [Happening(kind, BEGIN + 1800)]
    found: dict[str, list[float]] = {}
    for _, lines in World(SMALL, 1, happened, read_series()).live(BEGIN, BEGIN + 3600):
        for line in lines:
            if line.startswith("process_cpu_time"):
                (name,) = re.findall(r'instance="([^"]+)"', line)
                found.setdefault(name, []).append(float(line.split()[1]))
    return found


def test_a_counter_reset_falls_in_place_and_a_deployment_has_new_names() -> None:
    reset, deployed = cpu_times(KINDS["counter reset"]), cpu_times(DEPLOYMENT)
    assert (len(reset), len(deployed)) == (2, 4)
    assert [values == sorted(values) for values in reset.values()] == [False, False]
    assert [values == sorted(values) for values in deployed.values()] == [True] * 4


PROMISED = {
    "an outage of the busy service": ("ApiErrorRateCritical", "outage", BUSY, True),
    "an outage of the small service": ("ApiErrorRateCritical", "outage", SMALL, True),
    "three requests in five minutes are too few": ("ApiErrorRateCritical", "outage", HOBBY, False),
    "no message of the busy bot": ("BotHandlesNothingCritical", "bot stuck", BUSY, True),
    "no message of a bot that has six an hour": ("BotHandlesNothingWarning", "bot stuck", HOBBY, False),
    "a dead Collector at any traffic": ("CollectorSilentCritical", "Collector dead", HOBBY, True),
}


@pytest.mark.parametrize(("rule", "kind", "level", "expected"), PROMISED.values(), ids=PROMISED)
def test_a_rule_promises_what_is_far_above_its_floor(rule: str, kind: str, level: Level, expected: bool) -> None:
    noon = Happening(KINDS[kind], BEGIN + 36 * 3600)
    assert promised(BY_NAME[rule], noon, level) is expected


WRONG_LABELS = {
    "one that is not there": ({"service": "openai"}, "labels"),
    "a value that cannot be": ({"message_type": "text", "status": "lost"}, "status"),
}


@pytest.mark.parametrize(("labels", "named"), WRONG_LABELS.values(), ids=WRONG_LABELS)
def test_the_world_reports_no_series_that_the_catalog_lacks(labels: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Meter({}, frozenset()).number(catalog.TELEGRAM_MESSAGES, known=True, **labels)


def test_the_document_has_the_rules_there_are() -> None:
    text = (settings.ROOT / "docs/backtest.md").read_text()
    for level in LEVELS:
        (table,) = re.findall(rf"^## {level.name.title()}\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
        assert re.findall(r"^\| (\w+) \| \d", table, re.MULTILINE) == list(BY_NAME), "make backtest writes it anew"
