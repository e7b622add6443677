"""The backtest's `for`, and its way through Prometheus's database, held against promtool's own rule engine."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest
import yaml

from bench.backtest.replay import held
from stack import build, settings

INTERVAL, LENGTH = 30, 120
CHANCES = {"seldom true": 0.2, "half of the time": 0.5, "nearly always": 0.9}


@pytest.mark.parametrize("hold", [0, 30, 60, 120])
@pytest.mark.parametrize("chance", CHANCES.values(), ids=CHANCES)
def test_for_is_held_as_prometheus_holds_it(chance: float, hold: int, tmp_path: Path) -> None:
    random = Random(f"{chance} {hold}")
    true = [random.random() < chance for _ in range(LENGTH)]
    firing = set()
    for begin, end in held(
        {at * INTERVAL for at in range(LENGTH) if true[at]}, range(0, LENGTH * INTERVAL, INTERVAL), hold
    ):
        last = end if end == (LENGTH - 1) * INTERVAL and true[-1] else end - INTERVAL
        firing |= set(range(begin, last + 1, INTERVAL))
    said = promtool(true, firing, hold, tmp_path)
    assert said.returncode == 0, said.stdout + said.stderr


def promtool(true: list[bool], firing: set[int], hold: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Ask promtool whether an alert on a series fires at exactly these times."""
    rule = {"alert": "Up", "expr": "up_now == 1", "for": f"{hold}s"}
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "g", "interval": "30s", "rules": [rule]}]}))
    asked = [
        {
            "expr": 'count(ALERTS{alertstate="firing"})',
            "eval_time": f"{at * INTERVAL}s",
            "exp_samples": [{"labels": "{}", "value": 1}] if at * INTERVAL in firing else [],
        }
        for at in range(LENGTH)
    ]
    values = " ".join("1" if now else "0" for now in true)
    test = {"interval": "30s", "input_series": [{"series": "up_now", "values": values}], "promql_expr_test": asked}
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "30s", "tests": [test]}
    (folder / "test.yml").write_text(yaml.safe_dump(content))
    binary = build.binaries(settings.load())["promtool"]
    return subprocess.run([binary, "test", "rules", folder / "test.yml"], capture_output=True, text=True, check=False)


def test_an_evaluation_that_is_left_out_does_not_end_a_run() -> None:
    evaluations = [0, 30, 300, 330, 360]
    assert list(held({30, 300, 330}, evaluations, 240)) == [(300, 360)]
