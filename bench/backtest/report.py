"""The scores as a document: a table for each level of traffic, and what was wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING

from bench.backtest.harmless import HARMLESS
from bench.backtest.incidents import INCIDENTS
from bench.backtest.promises import PROMISES, USUAL_MESSAGES, enough
from bench.backtest.schedule import HARMLESS_WEEKS
from bench.backtest.score import IN_TIME, precision, recall

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.backtest.schedule import Plan
    from bench.backtest.score import Score

__all__ = ["LOWEST_PRECISION", "document", "problems"]

LOWEST_PRECISION = 0.95
_MINUTE, _HOUR = 60, 3600
_COLUMNS = (
    "rule", "promised", "found", "by chance", "firings", "false", "precision", "recall",
    "time to detect: median", "longest", "limit", "time to clear: median", "longest",
)  # fmt: skip


def problems(scores: Sequence[Score]) -> list[str]:
    """Name all that must not be: what was missed, false pages in harmless weeks, too many false alarms of a level."""
    found = [f"{score.level.name}: {score.rule.name} missed or late: {missed.kind.name}, {_when(missed.start)}"
             for score in scores for missed in score.missed]  # fmt: skip
    found += [f"{score.level.name}: {score.rule.name} is a false page of a harmless week, {_when(page.start)}"
              for score in scores for page in score.false_pages]  # fmt: skip
    for level, of_level in _by_level(scores).items():
        if precision(of_level) < LOWEST_PRECISION:
            found.append(f"{level}: precision {precision(of_level):.1%}, wanted {LOWEST_PRECISION:.0%}")
    return found


def document(scores: Sequence[Score], plan: Plan) -> str:
    """Write the document, in Markdown."""
    parts = ["# The alerts, replayed\n", _introduction(plan)]
    for level, of_level in _by_level(scores).items():
        parts += [f"## {level.title()}\n", _level(of_level), "\n".join(_table(of_level)) + "\n"]
    false = list(_false_alarms(scores))
    parts += ["## False alarms\n", "\n".join(false or ["None."]) + "\n"]
    return "\n".join([*parts, _promises(), _happened(), ""])


def _introduction(plan: Plan) -> str:
    harmless = " and ".join(str(week + 1) for week in HARMLESS_WEEKS if week < plan.weeks) or "None"
    return (
        f"Written by `make backtest` (seed {plan.seed}): {plan.weeks} simulated weeks at each of three levels of "
        f"traffic, every report of\nevery process, the rules evaluated by Prometheus at their own intervals. Weeks "
        f"with harmless things only:\n{harmless}.\n\n"
        f"*Promised* are the incidents that the rule promises to find at that traffic (`bench/backtest/promises.py`); "
        f"*by chance*\nthose found of the ones that are too small for its floor. The limit of the time to detect is "
        f"{IN_TIME} times the rule's window\nand `for`; it counts from when the incident is there, not from when it "
        f"begins to creep. Precision\ncounts an incident that a rule told once, however often it fired.\n"
    )


def _level(scores: Sequence[Score]) -> str:
    level = scores[0].level
    wrong, causes = sum(len(score.wrong) for score in scores), sum(score.causes for score in scores)
    pages = sum(len(score.false_pages) for score in scores)
    return (
        f"{_rate(level.requests)} requests and {_rate(level.messages)} messages in the busiest hour, "
        f"{level.api_processes + 1} processes. Precision {precision(scores):.1%} ({causes} told, {wrong} false), "
        f"recall {recall(scores):.1%}\n({sum(len(score.found) for score in scores)} promised), "
        f"{pages} false pages in harmless weeks.\n"
    )


def _rate(a_second: float) -> str:
    return f"{a_second * _HOUR:,.0f}"


def _table(scores: Iterable[Score]) -> Iterator[str]:
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|---" * len(_COLUMNS) + "|"
    for score in scores:
        yield "| " + " | ".join(_cells(score)) + " |"


def _cells(score: Score) -> list[str]:
    found = len(score.found) - len(score.missed)
    luck = [chance for chance in score.chances if chance.after is not None]
    firings = len(score.right) + len(score.wrong)
    counts = [str(len(score.found)), str(found), f"{len(luck)} of {len(score.chances)}" if score.chances else ""]
    shares = [f"{precision([score]):.0%}" if firings else "", f"{recall([score]):.0%}" if score.found else ""]
    after = [found.after for found in score.found if found.after is not None]
    cleared = [found.cleared for found in score.found if found.cleared is not None]
    times = [*_middle_and_longest(after), _duration(score.limit), *_middle_and_longest(cleared)]
    return [score.rule.name, *counts, str(firings), str(len(score.wrong)), *shares, *times]


def _middle_and_longest(values: Sequence[float]) -> tuple[str, str]:
    return (_duration(median(values)), _duration(max(values))) if values else ("", "")


def _duration(seconds: float) -> str:
    return f"{seconds / _MINUTE:.1f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"


def _false_alarms(scores: Iterable[Score]) -> Iterator[str]:
    for score in scores:
        for firing in score.wrong:
            lasted = _duration(firing.end - firing.start)
            yield f"- {score.level.name}: {score.rule.name}, {_when(firing.start)} UTC, for {lasted}"


def _promises() -> str:
    rows = "\n".join(
        f"| {name} | {promise.bad or ''} | {enough(promise.bad, promise.event) if promise.bad else ''} "
        f"| {promise.every or ''} | {f'{promise.share:.1%}' if promise.share else ''} | {promise.event} |"
        for name, promise in PROMISES.items()
    )
    usual = ", ".join(f"{name} {count}" for name, count in USUAL_MESSAGES.items())
    return (
        "## What a rule promises\n\nTo find, by three standard deviations, what is above its floor: more bad events in "
        "its window than it asks for, on\naverage as many as *surely from* says. Messages, and the calls they make, "
        "come in conversations, so more are needed.\nRules that are not listed promise to find what they watch at any "
        "traffic, but for a bot that handles nothing (messages\nin the window a day before: "
        f"{usual}) and for\nDatabasePoolExhaustedCritical, which needs somebody to wait whenever it looks.\n\n"
        "| rule | bad events | surely from | of at least | and more than | of |\n|---|---|---|---|---|---|\n"
        + rows
        + "\n"
    )


def _happened() -> str:
    incidents = "\n".join(
        f"| {kind.name} | {_duration(kind.minutes * 60)} | {', '.join(kind.must)} | {', '.join(kind.may)} |"
        for kind in INCIDENTS
    )
    return (
        "## What happens\n\n| incident | lasts | must fire | may fire |\n|---|---|---|---|\n" + incidents + "\n\n"
        "Harmless, so that nothing may fire: deployments, nights, weekends, "
        + ", ".join(kind.name for kind in HARMLESS) + "."
    )  # fmt: skip


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%a %d %b %H:%M}"


def _by_level(scores: Iterable[Score]) -> dict[str, list[Score]]:
    found: dict[str, list[Score]] = {}
    for score in scores:
        found.setdefault(score.level.name, []).append(score)
    return found
