"""A storm of errors: few events, exact counts, little time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import clean_environment
from tests.integration.telemetry.test_sentry import LINKS, dsn, sent  # noqa: F401 - the fixture

ERRORS = 10_000
KINDS = {"ValueError", "KeyError", "RuntimeError"}

STORM = """
import json, logging, sys, time
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
import telemetry
from telemetry import providers
reader = InMemoryMetricReader()
providers.metric_readers = lambda settings, accounts: [reader]
telemetry.init(strict=True)
log = logging.getLogger("shop")
log.propagate = False
log.addHandler(logging.NullHandler())

def storm(number):
    with telemetry.get_tracer().start_as_current_span("storm") as span:
        try:
            if number % 3 == 0:
                raise ValueError(number)
            if number % 3 == 1:
                raise KeyError(number)
            raise RuntimeError(number)
        except Exception as error:
            start = time.perf_counter()
            telemetry.record_error(error, component="api")
            log.exception("again")
            return time.perf_counter() - start

errors = int(sys.argv[1])
seconds = sum(storm(number) for number in range(errors))
time.sleep(telemetry.Settings.read()[0].error_window_seconds)
for number in range(3):
    storm(number)
(metric,) = [m for r in reader.get_metrics_data().resource_metrics for s in r.scope_metrics for m in s.metrics
             if m.name == "errors"]
counts = {p.attributes["error_type"]: p.value for p in metric.data.data_points if p.value}
assert telemetry.shutdown(10)
print(json.dumps({"milliseconds": seconds / errors * 1000, "counts": counts}))
"""


@pytest.mark.parametrize("rate", ["1", "0"], ids=["sampled", "not sampled"])
@pytest.mark.parametrize("link", LINKS)
def test_of_a_storm_few_events_tell_the_exact_number_of_errors(dsn: str, link: str, rate: str) -> None:  # noqa: F811 - the fixture
    environ = {
        "SENTRY_DSN": dsn,
        "SENTRY_TRACES_SAMPLE_RATE": rate,
        "TELEMETRY_SENTRY_LINK": link,
        "TELEMETRY_ERROR_WINDOW": "2",
        "OTEL_TRACES_EXPORTER": "none",
    }
    command = [sys.executable, "-W", "error", "-c", STORM, str(ERRORS)]
    done = subprocess.run(  # noqa: S603
        command, env=clean_environment() | environ, check=True, capture_output=True, text=True, timeout=120
    )
    found = json.loads(done.stdout)
    shown = {
        kind: [event for event in sent("event") if event["exception"]["values"][0]["type"] == kind] for kind in KINDS
    }
    told = {
        kind: sum(1 + int(event.get("tags", {}).get("suppressed", 0)) for event in events)
        for kind, events in shown.items()
    }
    assert sum(told.values()) == ERRORS + 3
    assert told == found["counts"]
    assert all(2 <= len(events) <= 60 for events in shown.values())  # one more for each 2 s that the storm lasts
    assert found["milliseconds"] < 10
