"""The alerts on what people notice, and on what causes it."""

from __future__ import annotations

from grafana.source.alert_queries import ASK, ENVIRONMENT, PROCESS, counted, quantile
from grafana.source.alerts import CRITICAL, WARNING, Alert, Level, Place
from grafana.source.objectives import COST_PER_HOUR
from grafana.source.queries import FAILED, SERVER_ERROR
from telemetry import catalog

__all__ = ["ALERTS"]

FEWEST_FAILURES = 5
"""In five minutes; fewer are no page, whatever share they are of a quiet night's requests."""
FEWEST_REQUESTS = 20
"""In five minutes, below which a percentile is one request's time."""
FEWEST_SLOW = 10


def _failing(all_events: str, failed: str, level: Level) -> str:
    return f"{failed} / {all_events} > {level.limit:g} and {failed} >= {FEWEST_FAILURES}"


def _api_errors(level: Level) -> str:
    requests = catalog.HTTP_REQUESTS
    return _failing(counted(requests, "5m"), counted(requests, "5m", where=SERVER_ERROR), level)


def _bot_errors(level: Level) -> str:
    messages = catalog.TELEGRAM_MESSAGES
    return _failing(counted(messages, "5m"), counted(messages, "5m", where=FAILED), level)


def _api_latency(level: Level) -> str:
    requests = counted(catalog.HTTP_REQUEST_DURATION, "5m", suffix="_count")
    p95 = quantile(0.95, catalog.HTTP_REQUEST_DURATION, ENVIRONMENT)
    return f"{p95} > {level.limit:g} and {requests} >= {FEWEST_REQUESTS}"


def _pool(level: Level) -> str:
    used = ASK.now(catalog.DB_POOL_SIZE, by=PROCESS, where='state="in_use"')
    full = f"{used} / {ASK.now(catalog.DB_POOL_MAX, by=PROCESS)} >= {level.limit:g}"
    waiting = f"{ASK.now(catalog.DB_POOL_REQUESTS_WAITING, by=PROCESS)} > 0"
    return full if level.severity == WARNING else f"{full} and {waiting}"


def _rate_limit(level: Level) -> str:
    by = f"{ENVIRONMENT}, service"
    called = counted(catalog.EXTERNAL_API_CALLS, "5m", by)
    return f"{ASK.now(catalog.EXTERNAL_API_RATE_LIMIT, 'min', by)} < {level.limit:g} and {called} > 0"


def _slow_queries(level: Level) -> str:
    slow, every = counted(catalog.DB_SLOW_QUERIES, "10m"), counted(catalog.DB_QUERY_DURATION, "10m", suffix="_count")
    return f"{slow} / {every} > {level.limit:g} and {slow} >= {FEWEST_SLOW}"


def _lag(level: Level) -> str:
    return f"{quantile(0.99, catalog.EVENT_LOOP_LAG, PROCESS)} > {level.limit:g}"


def _cost(level: Level) -> str:
    return f"{counted(catalog.AGENT_COST, '1h')} > {level.limit:g}"


API_ERRORS = Alert(
    "ApiErrorRate", "api", "application", "percent",
    "<value> of the API's requests in <environment> fail: more than <limit> for <for>.",
    f"Callers get a server error. At least {FEWEST_FAILURES} requests of the last five minutes did.",
    "High error rate", Place("api_dashboard", "Errors by endpoint"), _api_errors,
    (Level(WARNING, 0.01, "5m"), Level(CRITICAL, 0.05, "5m")), unless=("DatabasePoolExhausted",),
)  # fmt: skip
BOT_ERRORS = Alert(
    "BotErrorRate", "bot", "application", "percent",
    "<value> of the messages to the bot in <environment> fail: more than <limit> for <for>.",
    f"People write and get no answer, or an apology. At least {FEWEST_FAILURES} messages of five minutes failed.",
    "High error rate", Place("bot_dashboard", "Error Rate by Handler"), _bot_errors,
    (Level(WARNING, 0.01, "5m"), Level(CRITICAL, 0.05, "5m")),
)  # fmt: skip
API_LATENCY = Alert(
    "ApiLatency", "api", "application", "seconds",
    "5 of 100 API requests in <environment> take longer than <value>: above <limit> for <for>.",
    "The 95th percentile of at least 20 requests in five minutes. The dots on the panel are slow requests' traces.",
    "High latency", Place("api_dashboard", "Latency (p50, p95, p99)"), _api_latency,
    (Level(WARNING, 3, "5m"), Level(CRITICAL, 5, "5m")), unless=("DatabasePoolExhausted",),
)  # fmt: skip
POOL = Alert(
    "DatabasePoolExhausted", "database", "application", "percent",
    "<value> of the database connections of <service_name> (<process>) in <environment> are in use for <for>.",
    "All connections of one process are taken. Critical where requests wait for one; they time out next.",
    "Database connection pool exhausted", Place("database_dashboard", "Pool: free and in use"), _pool,
    (Level(WARNING, 1, "2m"), Level(CRITICAL, 1, "2m")), told_apart_by=("service_name", "instance"),
)  # fmt: skip
RATE_LIMIT = Alert(
    "ApiRateLimit", "models", "application", "percent",
    "<service> leaves <environment> <value> of its rate limit: below <limit> for <for>.",
    "By the provider's own answer headers, while it is being called. At 0 it refuses calls.",
    "API rate limit approaching", Place("ai_dashboard", "Rate limit left, by service"), _rate_limit,
    (Level(WARNING, 0.2, "1m"), Level(CRITICAL, 0.05, "1m")), told_apart_by=("service",),
)  # fmt: skip
PLANNED = (API_ERRORS, BOT_ERRORS, API_LATENCY, POOL, RATE_LIMIT)
"""Those of the plan, section 5.3."""

SLOW_QUERIES = Alert(
    "SlowQueries", "database", "application", "percent",
    "<value> of the database queries in <environment> are slow: more than <limit> for <for>.",
    "Slow is longer than TELEMETRY_SLOW_QUERY. At least 10 queries of the last ten minutes were.",
    "Slow queries", Place("database_dashboard", "Query Latency (p50, p95, p99)"), _slow_queries,
    (Level(WARNING, 0.05, "5m"), Level(CRITICAL, 0.25, "5m")),
)  # fmt: skip
LAG = Alert(
    "EventLoopLag", "bot", "application", "seconds",
    "The event loop of <service_name> (<process>) in <environment> runs <value> late: above <limit> for <for>.",
    "Something blocks it, and everything in that process waits. The 99th percentile of five minutes.",
    "High latency", Place("bot_dashboard", "Is something blocking the bot?"), _lag,
    (Level(WARNING, 0.25, "5m"), Level(CRITICAL, 1, "5m")), told_apart_by=("service_name", "instance"),
)  # fmt: skip
COST = Alert(
    "ModelCost", "models", "product", "usd",
    "Models have cost <value> in <environment> within an hour: more than <limit>.",
    f"The budget is {COST_PER_HOUR:g} USD an hour, at list prices; critical at three times that.",
    "Cost of models", Place("ai_dashboard", "Cost per hour"), _cost,
    (Level(WARNING, COST_PER_HOUR, "1m"), Level(CRITICAL, 3 * COST_PER_HOUR, "1m")),
)  # fmt: skip
ALERTS = (*PLANNED, SLOW_QUERIES, LAG, COST)
