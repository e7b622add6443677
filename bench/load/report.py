"""The report of a load run: 80 columns for people, the same as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from bench.load import rates, verdict
from bench.load.mix import SIDES

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from bench.load.found import Found, Key
    from bench.load.run import Run
    from bench.load.verdict import Ruled

__all__ = ["Report"]

_COUNT = "  {:<40}{:>10}{:>12}{:>12}"
_RULE = "  {:<28}{:>14}{:>10}{:>12}{:>12}"
_SHARES = ("p50", "p95", "p99")
_LONGEST_HOLD = 300 + verdict.EVALUATION_SECONDS


@dataclass(frozen=True)
class Report:
    """What a run sent, what the backends say, and which of the rules did what."""

    run: Run
    found: Found
    ruled: list[Ruled]
    states: dict[str, str]

    @property
    def problems(self) -> list[str]:
        """What makes the run fail: counts that differ, and what was lost."""
        different = [
            f"{what}: {' '.join(key)}: {sent} sent, {found} found"
            for what, keys in verdict.differing(self.run, self.found).items()
            for key, (sent, found) in keys.items()
        ]
        lost = [f"lost or unaccounted for: {count} ({what})" for what, count in self.found.lost.items()]
        unexpected = [f"{count} times {what}" for what, count in self.run.answered.unexpected.items()]
        unanswered = [f'the bot did not answer "{text}"' for text in self.run.bot.unanswered]
        return [*different, *lost, *unexpected, *unanswered]

    @property
    def overhead(self) -> dict[str, float]:
        """Return throughput and processor time a request with telemetry, against without."""
        low, middle, high = quantiles(verdict.throughputs(self.run.answered.turns), n=4, method="inclusive")
        return {"throughput": middle, "throughput_low": low, "throughput_high": high,
                "cpu_per_request": self._cpu("on") / self._cpu("off")}  # fmt: skip

    def _rate(self, side: str) -> float:
        return max(sum(self.run.answers(side).values()), 1) / (self.run.load.seconds / len(SIDES))

    @property
    def rates(self) -> dict[str, float]:
        """Return the requests a second with telemetry, as each saw them; Jaeger's by the share that is recorded."""
        found, half = self.found, self.run.load.seconds / len(SIDES)
        recorded = len(found.sampled) / self.run.load.ratio
        return {"Locust": self._rate("on"), "Prometheus": found.http.total() / half, "Jaeger": recorded / half}

    def _cpu(self, side: str) -> float:
        return self.run.cpu[side] / max(sum(self.run.answers(side).values()), 1)

    def as_json(self) -> dict[str, Any]:
        """Return every figure."""
        run, found = self.run, self.found
        return {
            "run": run.name,
            "environment": run.environment,
            "users": run.load.users,
            "seconds": run.load.seconds,
            "requests": {side: _named(run.answers(side)) for side in SIDES},
            "requests_in_prometheus": _named(found.http),
            "failed_requests_in_jaeger": _named(found.failed),
            "updates": _named({tuple(key): count for key, count in run.bot.updates.items()}),
            "updates_in_prometheus": _named(found.messages),
            "requests_per_second": {side: self._rate(side) for side in SIDES},
            "requests_per_second_with_telemetry": self.rates,
            "latency_seconds": {side: run.answered.latency[side] for side in SIDES}
            | {"prometheus": found.latency, "jaeger": found.sampled_latency},
            "latency_by_route_seconds": run.answered.latency,
            "error_budget_used": {
                "generator": verdict.budget_used(run.answers("on")),
                "prometheus": verdict.budget_used(dict(found.http)),
            },
            "sampling": asdict(self._sampling) | {"ok": self._sampling.ok},
            "lost": found.lost,
            "spans_in_jaeger": found.stored,
            "hops": [asdict(hop) | {"unaccounted": hop.unaccounted} for hop in found.hops],
            "rules": [self._rule(ruled) for ruled in self.ruled],
            "rules_not_inactive": self.states,
            "cpu_seconds": run.cpu | {"on_in_all": run.cpu_in_all, "prometheus": found.cpu_seconds},
            "overhead": self.overhead,
            "rates": rates.measured(run, found),
            "problems": self.problems,
            "ok": not self.problems,
        }

    @property
    def _sampling(self) -> verdict.Sampling:
        return verdict.sampling(len(self.found.sampled), self.found.http.total(), self.run.load.ratio)

    def _rule(self, ruled: Ruled) -> dict[str, Any]:
        asked = ruled.asked
        limits = {"limit": asked.rule.level.limit, "for": asked.rule.level.hold}
        return {"rule": asked.rule.name, "measured": asked.measured, "expected": asked.expected, "state": ruled.state,
                "ok": ruled.ok} | limits  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Return the report for people, a line at a time."""
        yield from self._counts()
        yield from self._times()
        yield from self._losses()
        yield from self._alerts()
        yield from self._overhead()
        yield from (f"! {problem}" for problem in self.problems)
        yield "Nothing is lost, and every count agrees." if not self.problems else "The counts do not agree."

    def _counts(self) -> Iterator[str]:
        sent, failed, load = self.run.answers("on"), self.found.failed, self.run.load
        yield f"  {self.run.environment}: {load.users} API users and the bot, {load.seconds:.0f} s"
        yield _COUNT.format("with telemetry", "answered", "Prometheus", "Jaeger")
        for key in sorted({*sent, *self.found.http}):
            traces = str(failed[key]) if key[2].startswith("5") else ""
            yield _COUNT.format(" ".join(key), sent.get(key, 0), self.found.http[key], traces)
        bot = self.run.bot.updates
        yield _COUNT.format("Telegram updates", bot.total(), self.found.messages.total(), "")
        yield "  (Jaeger has each failed request, and of the others those that were sampled)"

    def _times(self) -> Iterator[str]:
        yield ""
        yield _COUNT.format("seconds a request", *_SHARES)
        found = {f"Locust, telemetry {side}": self.run.answered.latency[side] for side in SIDES}
        found |= {"Prometheus (in the server, by buckets)": self.found.latency,
                  "Jaeger (in the server, sampled)": self.found.sampled_latency}  # fmt: skip
        for who, times in found.items():
            yield _COUNT.format(who, *(f"{times[share]:.3f}" for share in _SHARES))
        yield "  requests a second: " + ", ".join(f"{who} {rate:.0f}" for who, rate in self.rates.items())
        budgets = [verdict.budget_used(counts) for counts in (self.run.answers("on"), dict(self.found.http))]
        yield f"  error budget of these requests used: {budgets[0]:.2f} times; by Prometheus {budgets[1]:.2f}"
        s = self._sampling
        yield f"  sampled: {s.recorded:,} of {s.of:,}, {s.recorded / max(s.of, 1):.2%}; configured: {s.configured:.2%},"
        yield f"  {'within' if s.ok else 'OUTSIDE'} the 99% confidence interval, {s.low:.2%} to {s.high:.2%}"

    def _losses(self) -> Iterator[str]:
        yield ""
        for hop in self.found.hops:
            lost = sum(hop.dropped.values())
            text = f"{hop.signal} {hop.hop}"
            yield f"  {text:<38}{hop.took:>9,} in{hop.handed_on:>9,} on{lost:>7,} dropped"
            yield from (f"    {count:,} dropped: {reason}" for reason, count in hop.dropped.items())

        yield f"  {'spans in Jaeger, of this run':<38}{self.found.stored:>9,}"

    def _alerts(self) -> Iterator[str]:
        yield ""
        yield _RULE.format("rule", "measured", "limit", "should be", "is")
        for ruled in self.ruled:
            asked = ruled.asked
            yield _RULE.format(asked.rule.name, f"{asked.measured:.3g}", f"{asked.rule.level.limit:g}", asked.expected,
                               ruled.state)  # fmt: skip
        wrong = [ruled.asked.rule.name for ruled in self.ruled if not ruled.ok]
        right = f"{len(self.ruled) - len(wrong)} of {len(self.ruled)}"
        yield f"  {right} are as they should be{', but not:' if wrong else '.'}"
        yield from (f"    {name}" for name in wrong)
        judged = {ruled.asked.rule.name for ruled in self.ruled}
        if other := {name: state for name, state in self.states.items() if name not in judged}:
            yield "  Of others, which Locust cannot judge:"
            yield from (f"  {name:<28}{'':36}{state:>12}" for name, state in other.items())
        if self.run.load.seconds < _LONGEST_HOLD:
            yield "  A rule fires once its condition has held for 5 minutes: `pending` is as far as"
            yield f"  {self.run.load.seconds:.0f} s can bring it. `make load SECONDS=600` outlasts that."

    def _overhead(self) -> Iterator[str]:
        yield ""
        yield _COUNT.format("what telemetry costs", *SIDES, "ratio")
        rate, cost = [self._rate(side) for side in SIDES], [self._cpu(side) * 1e6 for side in SIDES]
        yield _COUNT.format("requests a second", *(f"{r:.0f}" for r in rate), f"{self.overhead['throughput']:.2f}")
        yield _COUNT.format("CPU a request, us", *(f"{c:.0f}" for c in cost), f"{self.overhead['cpu_per_request']:.2f}")
        spread = f"{self.overhead['throughput_low']:.2f} to {self.overhead['throughput_high']:.2f}"
        rounds = len(self.run.answered.turns) // 4
        yield f"  the rates' ratio: the median of {rounds} rounds; half of them are {spread}"
        seconds = f"{self.run.cpu_in_all:.1f} s; by Prometheus {self.found.cpu_seconds:.1f} s"
        yield f"  CPU of the API with telemetry from its start on: {seconds}"


def _named(counts: Counter[Key] | dict[Key, int]) -> dict[str, int]:
    return {" ".join(key): count for key, count in sorted(counts.items())}
