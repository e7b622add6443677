"""What was promised, how much of it is used up, and how fast."""

from __future__ import annotations

from grafana.source import queries
from grafana.source.board import Board, Row, environment
from grafana.source.links import to_dashboard, to_runbook
from grafana.source.objectives import ANSWERS, AVAILABILITY, PERIOD, Objective
from grafana.source.panels import About, Ask, Look, lines, stat, text
from grafana.source.style import Limits

__all__ = ["BOARD"]

WINDOWS = {"5m": "5 minutes", "1h": "an hour", "6h": "6 hours", "3d": "3 days"}
BURN = Look("suffix:x", 1, Limits(1, 14.4))
DETAIL = {
    AVAILABILITY: to_dashboard("api_dashboard", "Which endpoint?"),
    ANSWERS: to_dashboard("bot_dashboard", "Which messages?"),
}


def promise(objective: Objective) -> Row:
    """Show one objective: is it kept, what is left, how fast is it used up."""
    links = (to_runbook("Error budget burns too fast"), DETAIL[objective])
    wanted, empty = f"{objective.target:.1%}", "Nothing recorded yet"
    kept = stat(
        About(f"Kept (promised: {wanted})", f"Share that was good in the last {PERIOD}. {wanted} is promised.",
              empty, links),
        Ask(f"1 - ({queries.bad_share(objective, PERIOD)})", instant=True),
        look=Look("percentunit", 2, Limits(objective.target + objective.budget / 4, objective.target)),
    )  # fmt: skip
    left = stat(
        About("Error budget left", f"Of the failures that the promise allows in {PERIOD}, how much is left. Below 0 "
              f"the promise is broken.", empty, links),
        Ask(queries.budget_left(objective), instant=True), look=Look("percentunit", 0, Limits(0.5, 0)),
    )  # fmt: skip
    burning = lines(
        About("Burn rate", "How many times faster than allowed the budget is used up, over the last five minutes, "
              "hour, six hours and three days. At 1 it lasts exactly the 30 days, at 14.4 two days.",
              "Nothing recorded yet.",
              links),
        *(Ask(queries.burn_rate(objective, window), words) for window, words in WINDOWS.items()), look=BURN,
    )  # fmt: skip
    course = lines(
        About("Budget over time", "How the error budget of the last 30 days went.", "Nothing recorded yet.", links),
        Ask(queries.budget_left(objective), "left"), look=Look("percentunit", limits=Limits(0.5, 0)),
    )  # fmt: skip
    return Row(objective.title, 7, ((4, kept), (4, left), (8, burning), (8, course)))


EXPLAINED = Row("How to read this", 4, (
    (24, text(
        About("", "What an error budget is."),
        "A promise such as *99.5% of requests succeed* allows 0.5% to fail: that is the **error budget** of 30 days. "
        "**Error budget left** is what may still fail. **Burn rate** is how fast it goes: at 1 it lasts the 30 days, "
        "at 14.4 it is gone in two days, and somebody should be woken. The figures come from series that are recorded "
        "every minute, so a new installation shows nothing for its first minutes.",
    )),
))  # fmt: skip

BOARD = Board(
    "slo_dashboard", "Promises (SLOs)", "What was promised, how much of the error budget is left, and how fast it "
    "goes.",
    (promise(AVAILABILITY), promise(ANSWERS), EXPLAINED), (environment(),), since="now-7d", refresh="1m",
)  # fmt: skip
