"""The faults' accounts as text: a table of 130 columns, or Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.faults.account import Account
    from bench.faults.run import Row

__all__ = ["HEAD", "line", "markdown"]

_COLUMNS = (
    "fault",
    "spans",
    "dropped",
    "samples",
    "dropped",
    "unaccounted",
    "twice",
    "other late",
    "memory",
    "queued",
    "disk",
)
_FORMAT = "{:<38}{:>8}{:>9}{:>9}{:>9}{:>12}{:>6}{:>11}{:>9}{:>10}{:>9}"
HEAD = _FORMAT.format(*_COLUMNS)


def cells(row: Row) -> list[str]:
    """Each cell of a row."""
    spans, samples = row.accounts["spans"], row.accounts["samples"]
    late = "" if row.other_seconds is None else f"{row.other_seconds:.1f} s"
    sums = [str(value) for value in (spans.unaccounted + samples.unaccounted, spans.twice + samples.twice)]
    return [
        row.name,
        *_of(spans),
        *_of(samples),
        *sums,
        late,
        _mib(row.memory_bytes),
        _mib(row.queued_bytes),
        _mib(row.disk_bytes),
    ]


def line(row: Row) -> str:
    """Return a row of the table, with what is wrong below it."""
    problems = [f"    WRONG: {problem}" for problem in row.problems]
    return "\n".join([_FORMAT.format(*cells(row)), *problems])


def markdown(rows: Sequence[Row]) -> str:
    """Return the table of the documents."""
    lines = [" | ".join(_COLUMNS), " | ".join("---" for _ in _COLUMNS), *(" | ".join(cells(row)) for row in rows)]
    return "\n".join(f"| {text} |" for text in lines)


def _of(account: Account) -> list[str]:
    return [str(account.acknowledged), str(sum(account.dropped.values()))]


def _mib(size: float) -> str:
    return f"{size / 2**20:.1f} MiB" if size < 10 * 2**20 else f"{size / 2**20:.0f} MiB"
