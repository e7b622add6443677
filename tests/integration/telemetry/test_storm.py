"""Many users, with failures, time-outs, flood control, broken streams: counts exact, traces whole, nothing mixed.

STORM_UPDATES=10000 asks for more than the short form's 350, and looks at the memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from stack.settings import ROOT
from tests.integration.telemetry.test_sentry import EACH, Store, dsn  # noqa: F401 - the fixture

UPDATES = int(os.environ.get("STORM_UPDATES", "350"))
ENOUGH_FOR_MEMORY = 5000
FLAT_MIB = 3.0
"""Of about 200; the storm keeps nothing of an update, and the allocator breathes."""


def run_storm(dsn: str, mode: str) -> dict[str, Any]:  # noqa: F811 - the fixture
    environ = os.environ | {"SENTRY_DSN": dsn, "SENTRY_TRACES_SAMPLE_RATE": "1", "PYTHONPATH": str(ROOT)}
    environ |= {"TELEMETRY_ERROR_WINDOW": EACH}
    command = [sys.executable, "-m", "tests.integration.telemetry.storm", str(UPDATES), mode]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=900)  # noqa: S603
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("mode", ["concurrent", "one by one"])
def test_a_storm_of_updates_is_accounted_for(
    dsn: str,  # noqa: F811 - the fixture
    mode: str,
    record_property: Callable[[str, object], None],
) -> None:
    found = run_storm(dsn, mode)
    record_property("MiB at half, at the end", found["memory_mib"])
    record_property("updates by ending", found["endings"])
    endings = found["endings"]
    sent, counted = found["updates"]
    assert counted == sent
    assert found["durations"] == found["traces"] == UPDATES
    assert found["errors"] == {
        "bot ValueError": endings["failed"], "bot TimeoutError": endings["timed out"],
        "bot RetryAfter": endings["flooded"],
    }  # fmt: skip
    assert found["calls"]["sendMessage error"] == found["flood"] == endings["flooded"]
    assert found["calls"]["sendMessage success"] == endings["answered"] + endings["stream broken off"]
    assert found["agent_runs"] == endings["stream broken off"]
    reported, counted = found["tokens"]
    assert counted == reported
    assert (found["in_flight"], found["unfinished"]) == (0, 0)
    assert not any(found["faults"].values())
    half, whole = found["memory_mib"]
    assert UPDATES < ENOUGH_FOR_MEMORY or whole - half < FLAT_MIB
    events_are_their_users_own()


def events_are_their_users_own() -> None:
    events = [item for item in Store.items if item["item"] == "event"]
    assert len(events) > 0
    for event in events:
        said = event["exception"]["values"][-1]["value"]
        assert event["tags"]["user_again"] == event["user"]["id"]
        assert not said.startswith("user ") or said == f"user {event['user']['id']}"
