"""What happens to the gateways while traces come."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from bench.gateway.tier import tier
from bench.gateway.traffic import Traffic
from bench.gateway.verdict import Verdict, verdicts

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from bench.faults.servers import Server
    from bench.gateway.tier import Tier

__all__ = ["ADDING", "KILLING", "LONG", "THREE", "TWO", "TWO_AGAIN", "Pace", "Result", "run"]

TWO, ADDING, THREE, KILLING, TWO_AGAIN, LONG = (
    "two gateways", "a third is added", "three gateways", "one is killed", "two gateways again", "long",
)  # fmt: skip
_NOTICED_SECONDS = 12.0
"""Until each agent has seen a change of the name: it looks every 5 s, through a cache of 5 s."""
_READINESS_SECONDS = 1.0
"""Until a cluster takes the address of a dead gateway back."""


@dataclass(frozen=True)
class Pace:
    """How long things take, in seconds."""

    steady: float = 8.0
    """Each phase in which nothing changes."""
    long_trace: float = 12.0
    wait_after_root: float = 2.0
    longest_trace: float = 30.0
    members_change: bool = True
    traces_a_second: float = 30.0

    def variables(self) -> dict[str, str]:
        """Return the gateways' variables."""
        return {
            "GATEWAY_WAIT_AFTER_ROOT": f"{self.wait_after_root}s",
            "GATEWAY_LONGEST_TRACE": f"{self.longest_trace}s",
        }


@dataclass(frozen=True)
class Cost:
    """What the processes of one tier took."""

    processor_seconds: float
    memory_bytes: int
    """Of the largest process, at the end."""


@dataclass
class Result:
    """What became of the traces, and what the gateways counted."""

    phases: dict[str, Verdict]
    counted: dict[str, int] = field(default_factory=dict)
    """Spans by name, as the gateways counted them before sampling."""
    sent: dict[str, int] = field(default_factory=dict)
    """Spans by name."""

    cost: dict[str, Cost] = field(default_factory=dict)
    """Of the agents together, and of the gateways."""


def run(folder: Path, pace: Pace) -> Result:
    """Run agents, gateways and traffic in a folder, and look at what is stored."""
    with tier(folder, pace.variables()) as made:
        traffic = Traffic(list(made.agents), pace.traces_a_second)
        traffic.phase = TWO
        traffic.run_long(pace.long_trace)
        traffic.start()
        time.sleep(max(pace.steady, pace.long_trace))
        if pace.members_change:
            _change_members(made, traffic, pace)
        traffic.stop()
        _wait_for_decisions(pace)
        return _result(made, traffic)


def _change_members(made: Tier, traffic: Traffic, pace: Pace) -> None:
    _begin(traffic, ADDING, pace)
    made.announce(made.start_gateway())
    time.sleep(_NOTICED_SECONDS)
    _begin(traffic, THREE, pace)
    time.sleep(pace.steady)
    _begin(traffic, KILLING, pace)
    first = next(iter(made.gateways))
    made.kill(first)
    time.sleep(_READINESS_SECONDS)
    made.withdraw(first)
    time.sleep(_NOTICED_SECONDS)
    _begin(traffic, TWO_AGAIN, pace)
    time.sleep(pace.steady)


def _begin(traffic: Traffic, phase: str, pace: Pace) -> None:
    """Count traces under another phase, once those of the one before are decided on."""
    traffic.phase = phase
    _wait_for_decisions(pace)


def _wait_for_decisions(pace: Pace) -> None:
    time.sleep(pace.wait_after_root + 4.0)


def _result(made: Tier, traffic: Traffic) -> Result:
    jaeger, prometheus = made.stores.url("JAEGER_PORT"), made.stores.url("PROMETHEUS_PORT")
    cost = {"agents": _cost(made.agents.values()), "gateways": _cost(made.gateways.values())}
    result = Result(verdicts(traffic.sent, jaeger), _counted(prometheus), cost=cost)
    for trace in traffic.sent.values():
        for what, number in (("root", 1), ("step", len(trace.span_ids) - 1)):
            name = f"{what} {trace.phase}"
            result.sent[name] = result.sent.get(name, 0) + number
    return result


def _cost(servers: Collection[Server]) -> Cost:
    return Cost(sum(each.processor_seconds() for each in servers), max(each.memory() for each in servers))


def _counted(prometheus: str) -> dict[str, int]:
    query = "sum by (span_name) (max_over_time(traces_span_metrics_calls_total[1h]))"
    answer = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, trust_env=False)
    result = answer.raise_for_status().json()["data"]["result"]
    return {series["metric"]["span_name"]: round(float(series["value"][1])) for series in result}
