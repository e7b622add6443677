"""Let one fault happen and account for every item."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.faults.account import Account, account
from bench.faults.scene import lags, scene

if TYPE_CHECKING:
    from bench.faults.faults import Fault
    from bench.faults.scene import Scene

__all__ = ["Pace", "Row", "run"]

UNDELAYED_SECONDS = 5.0
"""What the signal whose store is well may take, at worst, from acknowledged to stored."""


@dataclass(frozen=True)
class Pace:
    """Seconds before, during and after a fault."""

    before: float = 1.0
    during: float = 5.0
    after: float = 1.0


@dataclass
class Row:
    """What became of a fault."""

    name: str
    accounts: dict[str, Account]
    drain_seconds: float = 0.0
    other_seconds: float | None = None
    """The longest delay of the signal whose store was well; None where both were hit."""
    memory_bytes: int = 0
    queued_bytes: float = 0
    disk_bytes: int = 0
    unsure: int = 0
    problems: list[str] = field(default_factory=list)


def run(fault: Fault, pace: Pace | None = None) -> Row:
    """Return the account of a fault in a scene of its own."""
    chosen = pace or Pace()
    with scene(fault.setting) as made:
        time.sleep(chosen.before)
        with lags(made) as (spans, samples):
            fault.happen(made, chosen.during)
            delays = {"spans": spans.worst_seconds, "samples": samples.worst_seconds}
        time.sleep(chosen.after)
        drain_seconds = made.drain()
        row = close(fault.name, made, drain_seconds)
        row.other_seconds = next((delays[signal] for signal in delays if signal not in fault.hits), None)
        row.problems += _problems(fault, made, row)
    return row


def close(name: str, made: Scene, drain_seconds: float) -> Row:
    """Make the account of a scene that is drained."""
    row = Row(name, account(made, made.found()), drain_seconds)
    row.memory_bytes, row.disk_bytes = made.watch.memory_peak, made.watch.disk_peak
    row.queued_bytes, row.unsure = made.watch.queued_peak, made.ledger.unsure
    if made.watch.queued:
        row.problems.append(f"{made.watch.queued:.0f} bytes still wait")
    for signal, found in row.accounts.items():
        if found.unaccounted:
            row.problems.append(f"{signal} (refusals {made.ledger.refusals}): {found.unaccounted} unaccounted")
        if found.twice:
            row.problems.append(f"{signal}: {found.twice} stored twice or wrong")
        if not found.acknowledged:
            row.problems.append(f"{signal}: none was sent")
    return row


def _problems(fault: Fault, made: Scene, row: Row) -> list[str]:
    problems = []
    reasons = {reason for found in row.accounts.values() for reason, items in found.dropped.items() if items}
    if reasons != fault.drops:
        problems.append(f"dropped by {sorted(reasons) or 'no reason'}, not by {sorted(fault.drops) or 'none'}")
    if not fault.seen(made):
        problems.append("the fault left no trace in the Collector's metrics or log")
    if row.other_seconds is not None and row.other_seconds > UNDELAYED_SECONDS:
        problems.append(f"the other store's data was {row.other_seconds:.1f} s late")
    return problems
