"""Many users, with failures, time-outs, cancellations: counts exact, traces whole, nobody's data in another's.

STORM_UPDATES=10000 asks for more than the short form's 600.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from stack.settings import ROOT
from tests.integration.telemetry.test_sentry import Store, dsn  # noqa: F401 - the fixture

UPDATES = os.environ.get("STORM_UPDATES", "600")


@pytest.mark.parametrize("mode", ["concurrent", "one by one"])
def test_a_storm_of_updates_is_accounted_for(dsn: str, mode: str) -> None:  # noqa: F811 - the fixture
    environ = os.environ | {"SENTRY_DSN": dsn, "SENTRY_TRACES_SAMPLE_RATE": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.integration.telemetry.storm", UPDATES, mode]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=500)  # noqa: S603
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["counted"] == found["sent"]
    assert found["durations"] == found["traces"] == int(UPDATES)
    assert (found["mixed"], found["incomplete"]) == (0, 0)
    failed = sum(count for what, count in found["sent"].items() if what.endswith("error"))
    assert found["errors"] == failed
    events = [item for item in Store.items if item["item"] == "event"]
    assert len(events) > 0
    for event in events:
        said = event["exception"]["values"][-1]["value"]
        assert event["tags"]["user_again"] == event["user"]["id"]
        assert said in ("", f"user {event['user']['id']}")
