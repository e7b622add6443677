"""The queries that more than one panel, rule, alert or document asks. Each stands here once."""

from __future__ import annotations

from grafana.source.objectives import AVAILABILITY, BOT_ANSWER_SECONDS, PERIOD, Objective
from grafana.source.promql import DASHBOARD, Queries, Scope, share
from telemetry import catalog

__all__ = [
    "alive",
    "api_failed",
    "api_failures",
    "bad_share",
    "bot_failed",
    "budget_left",
    "burn_rate",
    "errors_per_minute",
    "heartbeat_age",
    "pool_use",
    "recorded",
]

SERVER_ERROR = 'status=~"5.."'
FAILED = 'status="error"'
IN_TIME = f'le="{BOT_ANSWER_SECONDS}"'


def errors_per_minute(by: str = "", scope: Scope = DASHBOARD) -> str:
    """Errors of all components, each counted where it arose."""
    return Queries(scope).per_minute(catalog.ERRORS, by)


def api_failures(scope: Scope = DASHBOARD) -> str:
    """Share of each endpoint's answers that are a server error, over the window; endpoints without one are left out."""
    ask, by = Queries(scope), "endpoint"
    return f"{ask.rate(catalog.HTTP_REQUESTS, by, SERVER_ERROR)} / {ask.rate(catalog.HTTP_REQUESTS, by)} > 0"


def api_failed(scope: Scope = DASHBOARD) -> str:
    """Share of the API's answers that are a server error, over the period."""
    ask = Queries(scope)
    return share(ask.total(catalog.HTTP_REQUESTS, where=SERVER_ERROR), ask.total(catalog.HTTP_REQUESTS))


def bot_failed(scope: Scope = DASHBOARD) -> str:
    """Share of the messages whose handling failed, over the period."""
    ask = Queries(scope)
    return share(ask.total(catalog.TELEGRAM_MESSAGES, where=FAILED), ask.total(catalog.TELEGRAM_MESSAGES))


def pool_use(scope: Scope = DASHBOARD) -> str:
    """Share of the connections a pool may have that are in use, over all processes."""
    ask = Queries(scope)
    return share(ask.now(catalog.DB_POOL_SIZE, where='state="in_use"'), ask.now(catalog.DB_POOL_MAX))


def alive(scope: Scope = DASHBOARD) -> str:
    """How many processes have reported in the last two minutes; each reports its processor time whatever it does."""
    reports = Queries(scope).series(catalog.PROCESS_CPU_TIME)
    return f"count(last_over_time({reports}[2m])) or 0 * count(last_over_time({reports}[1h]))"


def heartbeat_age(scope: Scope = DASHBOARD) -> str:
    """Seconds since each process of the last hour has reported."""
    reported = f"timestamp({Queries(scope).series(catalog.PROCESS_CPU_TIME)})"
    return f"time() - max by (instance, service_name) (max_over_time({reported}[1h:15s]))"


def recorded(objective: Objective, what: str) -> str:
    """Build what the recording rule of an objective's `good` or `all` events holds, by environment."""
    ask, by = Queries(Scope(window="5m")), "deployment_environment_name"
    if objective is AVAILABILITY:
        return ask.rate(catalog.HTTP_REQUESTS, by, 'status!~"5.."' if what == "good" else "")
    if what == "all":
        return ask.rate(catalog.TELEGRAM_MESSAGE_DURATION, by, suffix="_count")
    # The duration does not tell how a message ended: the smaller of "in time" and "did not fail" were good.
    in_time = ask.rate(catalog.TELEGRAM_MESSAGE_DURATION, by, IN_TIME, "_bucket")
    handled = ask.rate(catalog.TELEGRAM_MESSAGES, by, 'status!="error"')
    return f"({in_time} < {handled}) or {handled}"


def bad_share(objective: Objective, window: str, scope: Scope = DASHBOARD) -> str:
    """Share of an objective's events that were bad in a window."""
    ask = Queries(scope)
    good, every = (f"sum(sum_over_time({ask.among(objective.recorded(what))}[{window}]))" for what in ("good", "all"))
    return f"1 - {share(good, every)}"


def budget_left(objective: Objective, scope: Scope = DASHBOARD) -> str:
    """Share of the error budget of the last 30 days that is left; below 0 the promise is broken."""
    return f"1 - ({bad_share(objective, PERIOD, scope)}) / {objective.budget:g}"


def burn_rate(objective: Objective, window: str, scope: Scope = DASHBOARD) -> str:
    """How many times faster than allowed the budget is used up; at 1 it lasts exactly the 30 days."""
    return f"({bad_share(objective, window, scope)}) / {objective.budget:g}"
