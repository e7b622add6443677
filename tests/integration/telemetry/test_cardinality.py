"""However many users, paths, methods, commands and exceptions there are, series and memory stay within their bounds.

CROWD_USERS=100000 asks for more than the short form's 1000, and looks at the memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from stack.settings import ROOT
from tests.conftest import clean_environment

USERS = int(os.environ.get("CROWD_USERS", "1000"))
ENOUGH_FOR_MEMORY = 20_000
FLAT_MIB = 4.0
"""Of about 150, over a quarter of the crowd that comes again: each user's first visit is remembered, for a while."""
NOBODY = "http://127.0.0.1:9"


def run_crowd() -> dict[str, Any]:
    environ = clean_environment() | {
        "PYTHONPATH": str(ROOT), "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_OTLP_ENDPOINT": NOBODY,
        "SENTRY_DSN": f"{NOBODY.replace('//', '//key@')}/1", "SENTRY_ENVIRONMENT": "production",
        "TELEMETRY_USER_KEY": "0123456789abcdef",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.integration.telemetry.crowd", str(USERS)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=1800)  # noqa: S603
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_crowd_costs_no_more_than_the_printed_bound(record_property: Callable[[str, object], None]) -> None:
    found = run_crowd()
    series, (_, known, end) = found["series"], found["memory_mib"]
    record_property("MiB before, with all users known, at the end", found["memory_mib"])
    record_property("series", sum(count for count, _ in series.values()))
    print(found["memory_mib"], sum(count for count, _ in series.values()), series)  # noqa: T201 - the report
    assert {name: count for name, (count, bound) in series.items() if count > bound} == {}
    assert series["errors"][0] > 50
    assert series["telemetry_label_overflow"][0] >= 1
    assert USERS < ENOUGH_FOR_MEMORY or end - known < FLAT_MIB
