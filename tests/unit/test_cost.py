"""The estimate of `telemetry cost`: what grows with traffic, what does not, and what bounds it."""

from __future__ import annotations

import json

import pytest

from telemetry import cost
from telemetry.catalog import CATALOG
from telemetry.cli import main
from telemetry.cost import RATES, Traffic, estimate

DAY = Traffic(requests=1000, updates=100, users=20, jobs=0, failing=0)


def test_spans_are_the_recorded_share_of_what_each_trace_has() -> None:
    expected = 0.1 * (1000 * RATES.spans_per_request + 100 * RATES.spans_per_update)
    assert estimate(DAY, ratio=0.1).spans == pytest.approx(expected)


def test_what_fails_leaves_its_root_span_though_it_is_not_recorded() -> None:
    failing = Traffic(requests=1000, updates=0, users=1, jobs=0, failing=0.2)
    assert estimate(failing, ratio=0).spans == 200
    assert estimate(failing, ratio=0).sentry_events_a_month == 200 * 30


def test_a_storm_of_errors_is_a_few_events_a_minute() -> None:
    storm = Traffic(requests=10**9, updates=0, users=1, failing=0.5)
    most = 2 * RATES.kinds_of_error * 60 * 24 * 30
    assert estimate(storm, processes=2).sentry_events_a_month == most


def test_a_recorded_trace_is_one_transaction() -> None:
    assert estimate(DAY, ratio=0.5).sentry_transactions_a_month == 0.5 * 1100 * 30


def test_metrics_do_not_grow_with_traffic_or_users() -> None:
    small, large = estimate(DAY), estimate(Traffic(requests=10**9, updates=10**8, users=10**7))
    assert (small.series, small.samples_per_second) == (large.series, large.samples_per_second)
    assert small.disk_of_30_days == large.disk_of_30_days


def test_series_are_bounded_by_the_catalog() -> None:
    found = estimate(DAY, processes=3)
    assert found.series_bound == 3 * sum(metric.series_bound for metric in CATALOG.values())
    assert found.series < found.series_bound


@pytest.mark.parametrize(("interval", "more"), [(15, 1), (5, 3), (60, 0.25)])
def test_a_shorter_interval_makes_more_samples_of_the_application(interval: float, more: float) -> None:
    collector = RATES.series_of_collector / 5
    applications = estimate(DAY, interval=interval).samples_per_second - collector
    assert applications == pytest.approx(more * (estimate(DAY).samples_per_second - collector))


def test_the_command_prints_80_columns_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = ["cost", "--requests-per-day", "9e7", "--updates-per-day", "9e6", "--users", "9e5", "--ratio", "1"]
    assert main(numbers) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    assert main([*numbers, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["traffic"]["requests"] == 9e7
    assert found["rates"]["bytes_per_span"] == cost.RATES.bytes_per_span


WRONG = {
    "a share above 1": (["--ratio", "10"], "must be a number between 0 and 1 (got 10)"),
    "fewer than none": (["--users", "-1"], "must be a number of at least 0 (got -1)"),
    "no interval": (["--interval", "0"], "must be a number of seconds above 0 (got 0)"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_number_that_cannot_be_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["cost", "--requests-per-day", "1", "--updates-per-day", "1", "--users", "1", *arguments])
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0.0 B"), (999, "999.0 B"), (1500, "1.5 kB"), (2.5e9, "2.5 GB"), (7e15, "7,000.0 TB")]
)
def test_a_size_is_written_in_powers_of_a_thousand(size: float, text: str) -> None:
    assert cost.size(size) == text
