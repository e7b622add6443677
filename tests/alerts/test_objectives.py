"""What counts as kept of a promise: the recording rules of the objectives, by promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from grafana.source.objectives import ANSWERS, AVAILABILITY, Objective
from grafana.source.rules import recording_rules
from stack import build, settings

LABELS = 'deployment_environment_name="production", instance="a"'
NOTHING = "0x40"


def api(good: str, bad: str) -> dict[str, str]:
    return {
        f'http_requests_total{{{LABELS}, status="200"}}': good,
        f'http_requests_total{{{LABELS}, status="503"}}': bad,
    }


def bot(in_time: str, every: str, failed: str, succeeded: str) -> dict[str, str]:
    duration = "telegram_message_duration_seconds"
    return {
        f'{duration}_bucket{{{LABELS}, le="10"}}': in_time,
        f"{duration}_count{{{LABELS}}}": every,
        f'telegram_messages_total{{{LABELS}, status="error"}}': failed,
        f'telegram_messages_total{{{LABELS}, status="success"}}': succeeded,
    }


GOOD = {
    "requests without a server error": (AVAILABILITY, api("0+9x40", "0+3x40"), 0.3),
    "answers in time": (ANSWERS, bot("0+9x40", "0+12x40", NOTHING, "0+12x40"), 0.3),
    "a message that fails at once is no answer": (ANSWERS, bot("0+12x40", "0+12x40", "0+12x40", NOTHING), 0.0),
    "of late ones and failed ones the more": (ANSWERS, bot("0+9x40", "0+12x40", "0+6x40", "0+6x40"), 0.2),
}


@pytest.mark.parametrize(("objective", "series", "good"), GOOD.values(), ids=GOOD)
def test_good_events_a_second(objective: Objective, series: dict[str, str], good: float, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(recording_rules()))
    asked = {
        "expr": f"round(sum({objective.recorded('good')}), 0.001)",
        "eval_time": "15m",
        "exp_samples": [{"labels": "{}", "value": good}],
    }
    test = {
        "interval": "30s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [asked],
    }
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "60s", "tests": [test]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(content))
    binary = build.binaries(settings.load())["promtool"]
    done = subprocess.run([binary, "test", "rules", tmp_path / "test.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
