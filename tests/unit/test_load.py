"""The load test's own reckoning: whose turn it is, what differs, how sure a share is."""

from __future__ import annotations

import re
import subprocess
from collections import Counter

import pytest

from bench.load import verdict
from bench.load.found import Found
from bench.load.mix import MIX, SIDES, Answered, side_of, turn_at, turns
from bench.load.report import Report
from bench.load.run import Load, Run
from bench.load.verdict import Ruled, sampling, throughputs
from examples.health_agent.demo.traffic import Sent
from stack.settings import ROOT
from telemetry.backends import Sample
from telemetry.losses import Hop

SENT = {"on GET /api/users 200": 90, "on GET /api/users/{user_id}/progress 500": 10, "off GET /api/users 200": 120}
LATENCY = {side: dict.fromkeys(("p50", "p95", "p99"), 0.1) for side in SIDES}


def a_run(**unexpected: int) -> Run:
    answered = Answered(SENT, [30, 60, 60, 70], LATENCY, unexpected)
    cpu = {"on": 2.0, "off": 1.2}
    return Run("abc", Load(seconds=12), 0.0, 12.0, answered, Sent(updates=Counter({("text", "success"): 3})), cpu, 3.0)


def found(**changed: object) -> Found:
    """What the backends hold where all has arrived, or something else."""
    http = {("GET", "/api/users", "200"): 90, ("GET", "/api/users/{user_id}/progress", "500"): 10}
    all_there = {
        "http": Counter(http),
        "messages": Counter({("text", "success"): 3}),
        "latency": LATENCY["on"],
        "failed": Counter({("GET", "/api/users/{user_id}/progress", "500"): 10}),
    }
    return FoundAsSaid(**{**all_there, **changed})  # type: ignore[arg-type]


class FoundAsSaid(Found):
    """Traces need not be made to say how many requests of them failed."""

    def __init__(self, *, failed: Counter[tuple[str, ...]], **fields: object) -> None:
        super().__init__(**fields)  # type: ignore[arg-type]
        self._failed = failed

    @property
    def failed(self) -> Counter[tuple[str, ...]]:
        return self._failed


def problems(**changed: object) -> list[str]:
    return Report(a_run(), found(**changed), [], {}).problems


def test_where_all_has_arrived_there_is_no_problem() -> None:
    assert problems() == []


FAULTS = {
    "a request that Prometheus lacks": (
        {"http": Counter({("GET", "/api/users", "200"): 89, ("GET", "/api/users/{user_id}/progress", "500"): 10})},
        "requests in Prometheus: GET /api/users 200: 90 sent, 89 found",
    ),
    "a failed request that Jaeger lacks": (
        {"failed": Counter()},
        "failed requests in Jaeger: GET /api/users/{user_id}/progress 500: 10 sent, 0 found",
    ),
    "an update that was counted twice": (
        {"messages": Counter({("text", "success"): 4})},
        "updates in Prometheus: text success: 3 sent, 4 found",
    ),
    "spans dropped": (
        {"hops": [Hop("spans", "application", 10, 8, {"queue_full": 2})], "stored": 10},
        "lost or unaccounted for: 2 (spans, application)",
    ),
    "spans that nobody knows of": (
        {"hops": [Hop("spans", "application", 10, 9)], "stored": 10},
        "lost or unaccounted for: 1 (spans, application)",
    ),
    "spans that were sent and are not stored": (
        {"hops": [Hop("spans", "application", 10, 10)], "stored": 7},
        "lost or unaccounted for: 3 (spans, not in Jaeger)",
    ),
    "metric points that nobody knows of": (
        {"hops": [Hop("metrics", "Collector otlp_http/loop", 20, 18)]},
        "lost or unaccounted for: 2 (metrics, Collector otlp_http/loop)",
    ),
    "metric points dropped at the Collector": (
        {"hops": [Hop("metrics", "Collector otlp_http/loop", 20, 15, {"given up": 5})]},
        "lost or unaccounted for: 5 (metrics, Collector otlp_http/loop)",
    ),
}


@pytest.mark.parametrize(("changed", "problem"), FAULTS.values(), ids=FAULTS.keys())
def test_a_run_fails_by(changed: dict[str, object], problem: str) -> None:
    assert problems(**changed) == [problem]


def test_where_the_backends_hold_nothing_each_count_is_named_and_the_report_is_whole() -> None:
    nothing = Found(latency=dict.fromkeys(LATENCY["on"], 0.0))
    report = Report(a_run(), nothing, [], {})
    assert [problem.partition(":")[0] for problem in report.problems] == [
        "requests in Prometheus",
        "requests in Prometheus",
        "failed requests in Jaeger",
        "updates in Prometheus",
    ]
    assert list(report.lines())[-1] == "The counts do not agree."
    assert report.as_json()["ok"] is False


def test_what_waited_at_the_last_report_and_is_stored_is_not_lost() -> None:
    assert problems(hops=[Hop("spans", "application", 10, 8, waits=2)], stored=10) == []


def test_transactions_that_sentry_refuses_are_no_loss_of_ours() -> None:
    assert problems(hops=[Hop("transactions", "application", 10, 2, {"rate_limited": 8})]) == []


def test_an_answer_that_was_not_planned_fails_a_run() -> None:
    report = Report(a_run(**{"GET on /api/users: 0 instead of 200": 2}), found(), [], {})
    assert report.problems == ["2 times GET on /api/users: 0 instead of 200"]


def test_the_report_is_80_columns_wide_and_says_the_verdict() -> None:
    lines = list(Report(a_run(), found(), [], {}).lines())
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "Nothing is lost, and every count agrees."


@pytest.mark.parametrize(
    ("state", "says"),
    [("pending", "are as they should be."), ("inactive", "are as they should be, but not:\n    ApiErrorRateWarning\n")],
)
def test_rules_that_did_not_what_they_should_are_named(state: str, says: str) -> None:
    asked = [one for one in verdict._asked(a_run()) if one.rule.name == "ApiErrorRateWarning"]
    assert [one.expected for one in asked] == ["pending"]  # 10 of 100 failed, and 12 s are too short to fire
    ruled = [Ruled(one, state) for one in asked]
    said = "\n".join(Report(a_run(), found(), ruled, {"Other": "firing"}).lines())
    assert says in said
    assert re.search("which Locust cannot judge:\n  Other +firing\n", said)


def test_throughput_is_what_each_backend_saw() -> None:
    rates = Report(a_run(), found(), [], {}).rates
    assert rates == {"Locust": 100 / 6, "Prometheus": 100 / 6, "Jaeger": 0}


def test_cpu_is_a_request_and_throughput_a_ratio_of_turns() -> None:
    overhead = Report(a_run(), found(), [], {}).overhead
    assert overhead["cpu_per_request"] == pytest.approx((2.0 / 100) / (1.2 / 120))
    assert overhead["throughput"] == pytest.approx(100 / 120)


def test_each_side_has_half_of_the_time_and_neither_is_always_first() -> None:
    order = [side_of(turn_at(0.01 * at, 60)) for at in range(6000)]
    assert order.count("on") == order.count("off") == 3000
    assert [side_of(turn) for turn in range(8)] == ["on", "off", "off", "on"] * 2
    assert turns(60) == 24


@pytest.mark.parametrize("elapsed", [60.0, 75.5])
def test_what_begins_after_the_end_belongs_to_the_last_turn(elapsed: float) -> None:
    assert turn_at(elapsed, 60) == 23


@pytest.mark.parametrize(
    ("recorded", "of", "ok"),
    [(1000, 10_000, True), (1060, 10_000, True), (1100, 10_000, False), (900, 10_000, False), (0, 0, True)],
)
def test_a_share_is_within_the_interval(recorded: int, of: int, ok: bool) -> None:
    assert sampling(recorded, of, 0.1).ok is ok


def test_the_interval_is_wilsons() -> None:
    interval = sampling(10, 100, 0.1)  # by hand, with z = 2.5758: 0.1249 and 0.0789 to each side
    assert interval.low == pytest.approx(0.0460, abs=1e-4)
    assert interval.high == pytest.approx(0.2037, abs=1e-4)


COMMANDS = {
    "make load": "--users 100 --seconds 60",
    "make load USERS=50 SECONDS=600": "--users 50 --seconds 600",
    "make load ARGS=--json": "--users 100 --seconds 60 --json",
}


@pytest.mark.parametrize(("command", "options"), COMMANDS.items())
def test_a_command_of_the_document_asks_for(command: str, options: str) -> None:
    assert re.search(rf"^{re.escape(command)}( *#|$)", (ROOT / "docs" / "load.md").read_text(), re.MULTILINE)
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.rstrip().endswith(f"-m bench.load {options}")


def test_throughputs_are_by_round() -> None:
    assert throughputs([10, 10, 10, 10, 5, 10, 10, 5]) == [1.0, 0.5]
    assert throughputs([8, 10, 10, 10]) == [0.9, 0.9]


def test_the_mix_plans_failing_and_slow_requests() -> None:
    total = sum(MIX.values())
    failing = sum(weight for request, weight in MIX.items() if request.status >= 500)
    assert failing / total > 1.25 * 0.072  # clearly above the fastest budget burn's line, 14.4 times 0.5%
    assert sum(weight for request, weight in MIX.items() if request.path == "/api/chat") / total > 0.03


def test_a_rule_is_waited_for_until_it_has_seen_what_is_recorded_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(verdict, "time", clock)
    ruled, _ = verdict.rules(a_run(), PendingAfter(clock, 90))  # type: ignore[arg-type]
    assert [one.asked.rule.name for one in ruled if not one.ok] == []
    assert clock.now >= 90


class Clock:
    now = 0.0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class PendingAfter:
    """A Prometheus in which the rules that should are pending once a minute and half a minute have passed."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def query(self, _: str) -> list[Sample]:
        return [] if self._clock.now < self._seconds else [
            Sample({"alertname": one.rule.name, "alertstate": one.expected}, 1.0)
            for one in verdict._asked(a_run()) if one.expected == "pending"
        ]  # fmt: skip
