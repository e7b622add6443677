"""Each alert replayed by promtool: one step before its `for`, at it, with what is no trouble, and with no data."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from grafana.source import alert_files
from grafana.source.alert_catalog import RULES
from grafana.source.alerts import Rule, seconds
from stack import build, settings
from tests.alerts.cases import FIRES, FIRES_WITHOUT_DATA, QUIET, STEP, Quiet, Series

BY_NAME = {rule.name: rule for rule in RULES}


@dataclass(frozen=True)
class Case:
    """Whether a rule has fired by a moment, in seconds, or since another."""

    rule: str
    kind: str
    sentence: str
    series: Series
    moment: int
    step: int
    fires: bool
    since: int = 0


@cache
def promtool() -> Path:
    return build.binaries(settings.load())["promtool"]


def cases_of(rule: Rule) -> list[Case]:
    found = []
    hold = seconds(rule.level.hold)
    for sentence, story in FIRES.get(rule.name, {}).items():
        end = story.since + hold
        before = f"{rule.name} is silent one step before {rule.level.hold}: {sentence}"
        after = f"{rule.name} fires at {rule.level.hold}: {sentence}"
        found.append(Case(rule.name, "before", before, story.series, end - story.step, story.step, fires=False))
        found.append(Case(rule.name, "at", after, story.series, end, story.step, fires=True))
    found += [quiet_case(rule.name, sentence, quiet) for sentence, quiet in QUIET.items() if rule.name in quiet.rules]
    fires = rule.name in FIRES_WITHOUT_DATA
    verb = "fires" if fires else "is silent"
    return [*found, Case(rule.name, "no data", f"{rule.name} {verb} when there is no data", {}, 7200, STEP, fires)]


def quiet_case(rule: str, sentence: str, quiet: Quiet) -> Case:
    name = f"{rule} stays quiet: {sentence}"
    return Case(rule, "quiet", name, quiet.series, quiet.until, quiet.step, fires=False, since=quiet.since)


CASES = {case.sentence: case for rule in RULES for case in cases_of(rule)}


def missing_kinds(rule: Rule) -> set[str]:
    return {"before", "at", "quiet", "no data"} - {case.kind for case in CASES.values() if case.rule == rule.name}


def replay(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask promtool whether the rule has fired at any time up to the case's moment."""
    groups = [
        {**group, "rules": [rule for rule in group["rules"] if rule["alert"] == case.rule]}
        for group in alert_files.prometheus_rules()["groups"]
    ]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [group for group in groups if group["rules"]]}))
    firing = f'ALERTS{{alertname="{case.rule}", alertstate="firing"}}'
    fired = f"count(count_over_time({firing}[{case.moment - case.since + 1}s]))"
    asked = {
        "expr": fired,
        "eval_time": f"{case.moment}s",
        "exp_samples": [{"labels": "{}", "value": 1}] if case.fires else [],
    }
    test = {
        "interval": f"{case.step}s",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [asked],
    }
    file = folder / "test.yml"
    every = f"{case.step}s"
    file.write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": every, "tests": [test]}))
    return subprocess.run([promtool(), "test", "rules", file], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_promtool_says(case: Case, tmp_path: Path) -> None:
    done = replay(case, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_has_a_case_before_its_time_one_at_it_one_that_is_quiet_and_one_without_data(rule: Rule) -> None:
    assert missing_kinds(rule) == set()


def test_a_story_is_told_of_a_rule_that_exists() -> None:
    told = {*FIRES, *FIRES_WITHOUT_DATA, *(rule for quiet in QUIET.values() for rule in quiet.rules)}
    assert told == set(BY_NAME)
