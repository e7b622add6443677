"""Every metric once: instrument, unit, labels, buckets, description and an example query.

The OpenTelemetry name and unit are chosen so that the standard translation to Prometheus yields the names of the plan;
`Metric.prometheus` is that translation, and no other naming layer exists. A metric that is not in `CATALOG` does not
leave the process. Labels never hold a user id, a chat id, a path or a message.

Translation: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

__all__ = ["CATALOG", "Label", "Metric", "register"]

Kind = Literal["counter", "histogram", "gauge", "updowncounter"]

OTHER = "other"
"""What a label holds past its bounds."""

SERIES_LIMIT = 2000
"""Label combinations of one metric in one process; OpenTelemetry's own default where it has a limit."""

_SUFFIXES = {"s": "_seconds", "By": "_bytes"}


@dataclass(frozen=True)
class Label:
    """One label; `values` lists all it can hold, or `limit` caps how many are kept before the rest become `other`."""

    name: str
    values: tuple[str, ...] = ()
    limit: int = 0

    def __post_init__(self) -> None:
        if not self.values and self.limit < 1:
            raise ValueError(f"The label {self.name} needs all its values, or a limit of at least 1 on their number.")

    @property
    def bound(self) -> int:
        """The most values this label can have in one process."""
        return len(self.values) + (OTHER not in self.values) if self.values else self.limit + 1


@dataclass(frozen=True)
class Metric:
    """One metric: `name` and `unit` in OpenTelemetry's terms, `buckets` in the unit of the metric."""

    name: str
    kind: Kind
    unit: str
    description: str
    query: str = ""
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind == "histogram") != bool(self.buckets):
            raise ValueError(
                f"The metric {self.name} is a {self.kind}: a histogram needs buckets, nothing else has them."
            )

    @property
    def prometheus(self) -> str:
        """The name in Prometheus."""
        base = self.name.replace(".", "_") + _SUFFIXES.get(self.unit, "")
        return f"{base}_total" if self.kind == "counter" and not base.endswith("_total") else base

    @cached_property
    def label_names(self) -> tuple[str, ...]:
        """The names of its labels."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def pick(self) -> Callable[[Mapping[str, str]], Hashable]:
        """What takes the values of its labels out of a mapping, as something to find a series by."""
        return itemgetter(*self.label_names) if self.labels else lambda _: None

    def attributes(self, values: tuple[str, ...]) -> dict[str, str]:
        """Return a series' labels by name from their values in order; an empty value is no label."""
        return {name: value for name, value in zip(self.label_names, values, strict=True) if value}

    @property
    def series_bound(self) -> int:
        """The most series one process can write: label combinations, times buckets, sum and count."""
        every, closed = 1, 1
        for label in self.labels:
            every *= label.bound
            closed *= label.bound if label.values else 1
        combinations = min(every, SERIES_LIMIT + closed)  # past the limit only labels of listed values still differ
        return combinations * (len(self.buckets) + 3 if self.kind == "histogram" else 1)


CATALOG: dict[str, Metric] = {}
"""All metrics by their OpenTelemetry name."""


def register(metric: Metric) -> Metric:
    """Add a metric to the catalog; raises `ValueError` for a name that is taken, here or in Prometheus."""
    if metric.name in CATALOG or metric.prometheus in {known.prometheus for known in CATALOG.values()}:
        raise ValueError(f"The metric {metric.name} is in the catalog already; use it, or choose another name.")
    CATALOG[metric.name] = metric
    return metric


METHOD = Label("method", ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"))
ENDPOINT = Label("endpoint", limit=100)
STATUS_CODE = Label("status", limit=40)
ENDING = Label("status", ("success", "error", "cancelled"))
MESSAGE_TYPE = Label("message_type", ("text", "command", "photo", "voice", "other"))
ERROR_TYPE = Label("error_type", limit=50)
COMPONENT = Label("component", ("bot", "api", "database", "agent", "vision", "reminders", "other"))
TIME_PERIOD = Label("time_period", ("last_hour", "last_day", "last_week"))
CONFIDENCE = Label("confidence_level", ("high", "medium", "low"))
MODEL = Label("model", limit=20)
COMPLEXITY = Label("complexity", ("simple", "complex"))
PROVIDER = Label("provider", limit=10)
TOKEN_TYPE = Label("type", ("input", "output"))
QUERY_TYPE = Label("query_type", ("select", "insert", "update", "delete", "other"))
POOL_STATE = Label("state", ("available", "in_use"))
SERVICE = Label("service", limit=20)
COMMAND = Label("command", limit=50)
HANDLER = Label("handler", limit=50)
JOB = Label("job_name", limit=50)
WORK_KIND = Label("kind", ("handler", "job", "agent"))
WORK_NAME = Label("name", limit=50)
API_METHOD = Label("method", limit=100)
SIGNAL = Label("signal", ("spans", "metrics", "errors", "transactions"))
DROP_REASON = Label("reason", ("queue_full", "refused", "rate_limited", "network", "shutdown", "other"))

HTTP_REQUESTS = register(Metric(
    "http.requests", "counter", "{request}", "Requests the API has answered.",
    labels=(METHOD, ENDPOINT, STATUS_CODE),
    query="sum by (endpoint, status) (rate(http_requests_total[5m]))",
))  # fmt: skip
HTTP_REQUEST_DURATION = register(Metric(
    "http.request.duration", "histogram", "s", "Time from a request to the last byte of its answer.",
    labels=(METHOD, ENDPOINT),
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0),
    query="histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))",
))  # fmt: skip
HTTP_STREAM_DURATION = register(Metric(
    "http.stream.duration", "histogram", "s", "How long streams, server-sent events and WebSockets were open.",
    labels=(Label("kind", ("stream", "sse", "websocket")), ENDPOINT),
    buckets=(1, 5, 15, 60, 300, 900, 3600),
    query="sum by (kind, endpoint) (rate(http_stream_duration_seconds_count[5m]))",
))  # fmt: skip
TELEGRAM_MESSAGES = register(Metric(
    "telegram.messages", "counter", "{message}", "Telegram updates the bot has handled.",
    labels=(MESSAGE_TYPE, ENDING),
    query="sum by (message_type) (rate(telegram_messages_total[5m]))",
))  # fmt: skip
TELEGRAM_MESSAGE_DURATION = register(Metric(
    "telegram.message.duration", "histogram", "s", "Time the bot took for an update, until its handlers were done.",
    labels=(MESSAGE_TYPE,),
    buckets=(0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    query="histogram_quantile(0.95, sum by (le, message_type) (rate(telegram_message_duration_seconds_bucket[5m])))",
))  # fmt: skip
TELEGRAM_COMMANDS = register(Metric(
    "telegram.commands", "counter", "{command}", "Commands users have sent, among those the bot knows.",
    labels=(COMMAND,),
    query="topk(10, sum by (command) (increase(telegram_commands_total[1d])))",
))  # fmt: skip
TELEGRAM_HANDLER_ERRORS = register(Metric(
    "telegram.handler.errors", "counter", "{error}", "Exceptions that left a handler of the bot.",
    labels=(HANDLER,),
    query="sum by (handler) (rate(telegram_handler_errors_total[5m]))",
))  # fmt: skip
TELEGRAM_JOBS = register(Metric(
    "telegram.jobs", "counter", "{job}", "Runs of the job queue's jobs, by the function they call.",
    labels=(JOB, ENDING),
    query="sum by (job_name, status) (rate(telegram_jobs_total[5m]))",
))  # fmt: skip
TELEGRAM_API_CALLS = register(Metric(
    "telegram.api.calls", "counter", "{call}", "Calls of the Bot API, by its method.",
    labels=(API_METHOD, ENDING),
    query="sum by (method, status) (rate(telegram_api_calls_total[5m]))",
))  # fmt: skip
TELEGRAM_API_DURATION = register(Metric(
    "telegram.api.duration", "histogram", "s", "Time a call of the Bot API took; waiting for updates is not one.",
    labels=(API_METHOD,),
    buckets=(0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    query="histogram_quantile(0.95, sum by (le, method) (rate(telegram_api_duration_seconds_bucket[5m])))",
))  # fmt: skip
TELEGRAM_API_IN_FLIGHT = register(Metric(
    "telegram.api.in.flight", "updowncounter", "{call}", "Calls of the Bot API that wait for their answer now.",
    query="sum(telegram_api_in_flight)",
))  # fmt: skip
TELEGRAM_FLOOD_CONTROL = register(Metric(
    "telegram.flood.control", "counter", "{call}", "Calls that Telegram refused because there were too many.",
    labels=(API_METHOD,),
    query="sum by (method) (increase(telegram_flood_control_total[1h]))",
))  # fmt: skip
TELEGRAM_POLLING_ERRORS = register(Metric(
    "telegram.polling.errors", "counter", "{error}", "Failed attempts to fetch updates; the bot tries again by itself.",
    labels=(ERROR_TYPE,),
    query="sum by (error_type) (increase(telegram_polling_errors_total[15m]))",
))  # fmt: skip
TELEGRAM_FEEDBACK = register(Metric(
    "telegram.feedback", "counter", "{press}", "Feedback buttons that users have pressed.",
    labels=(Label("rating", ("up", "down")),),
    query="sum by (rating) (increase(telegram_feedback_total[1d]))",
))  # fmt: skip
TELEGRAM_MESSAGES_PER_USER = register(Metric(
    "telegram.messages.per.user", "histogram", "{message}", "Messages a user wrote in an hour in which they wrote.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200),
    query="histogram_quantile(0.5, sum by (le) (increase(telegram_messages_per_user_bucket[1d])))",
))  # fmt: skip
WORK_IN_FLIGHT = register(Metric(
    "work.in.flight", "updowncounter", "{item}", "Handlers, jobs and agent runs that have begun and not ended.",
    labels=(WORK_KIND, WORK_NAME),
    query="sum by (kind, name) (work_in_flight)",
))  # fmt: skip
WORK_OLDEST_AGE = register(Metric(
    "work.oldest.age", "gauge", "s", "How long the oldest of them has run by now.",
    labels=(WORK_KIND, WORK_NAME),
    query="max by (kind, name) (work_oldest_age_seconds)",
))  # fmt: skip
EVENT_LOOP_LAG = register(Metric(
    "event.loop.lag", "histogram", "s", "How much later than due the event loop ran what was due: who blocked it?",
    buckets=(0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    query="histogram_quantile(0.99, sum by (le, instance) (rate(event_loop_lag_seconds_bucket[5m])))",
))  # fmt: skip
ERRORS = register(Metric(
    "errors", "counter", "{error}", "Errors, each counted once, where it arose.",
    labels=(ERROR_TYPE, COMPONENT),
    query="sum by (component) (rate(errors_total[5m])) * 60",
))  # fmt: skip
ACTIVE_USERS = register(Metric(
    "active.users.total", "gauge", "{user}", "Users who wrote within the period, read from the database.",
    labels=(TIME_PERIOD,),
    query='max(active_users_total{time_period="last_hour"})',
))  # fmt: skip
FOOD_PHOTOS = register(Metric(
    "food.photos.analyzed", "counter", "{photo}", "Food photos analysed, by how sure the model was.",
    labels=(CONFIDENCE,),
    query="sum by (confidence_level) (increase(food_photos_analyzed_total[1h]))",
))  # fmt: skip
FOOD_PHOTO_DURATION = register(Metric(
    "food.photo.processing.duration", "histogram", "s", "Time one analysis of a food photo took.",
    buckets=(0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    query="histogram_quantile(0.95, sum by (le) (rate(food_photo_processing_duration_seconds_bucket[5m])))",
))  # fmt: skip
AGENT_RESPONSE_DURATION = register(Metric(
    "agent.response.duration", "histogram", "s", "Time the agent took for an answer, tools and retries included.",
    labels=(MODEL, COMPLEXITY),
    buckets=(0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0),
    query="histogram_quantile(0.95, sum by (le, model) (rate(agent_response_duration_seconds_bucket[5m])))",
))  # fmt: skip
AGENT_TIME_TO_FIRST_TOKEN = register(Metric(
    "agent.time.to.first.token", "histogram", "s", "Time from asking a model to the first piece of a streamed answer.",
    labels=(MODEL,),
    buckets=(0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
    query="histogram_quantile(0.95, sum by (le, model) (rate(agent_time_to_first_token_seconds_bucket[5m])))",
))  # fmt: skip
AGENT_TOKENS = register(Metric(
    "agent.token.usage", "counter", "{token}",
    "Tokens the models have reported; input includes those read from a cache.",
    labels=(PROVIDER, MODEL, TOKEN_TYPE),
    query='sum by (model, type) (increase(agent_token_usage_total{type=~"input|output"}[1h]))',
))  # fmt: skip
AGENT_COST = register(Metric(
    "agent.cost.usd", "counter", "{USD}", "What the models' answers cost, in US dollars, at list prices.",
    labels=(PROVIDER, MODEL),
    query="sum by (model) (increase(agent_cost_usd_total[1h]))",
))  # fmt: skip
AGENT_CACHED_TOKENS = register(Metric(
    "agent.cached.tokens", "counter", "{token}", "Input tokens read from, or written to, a provider's prompt cache.",
    labels=(PROVIDER, MODEL, Label("type", ("read", "write"))),
    query='sum by (model) (increase(agent_cached_tokens_total{type="read"}[1h]))',
))  # fmt: skip
AGENT_COST_UNKNOWN = register(Metric(
    "agent.cost.unknown", "counter", "{answer}", "Answers of unknown price, which agent_cost_usd_total lacks.",
    labels=(PROVIDER, MODEL),
    query="sum by (model) (increase(agent_cost_unknown_total[1h]))",
))  # fmt: skip
DB_QUERY_DURATION = register(Metric(
    "db.query.duration", "histogram", "s", "Time the application waited for the database to do a query.",
    labels=(QUERY_TYPE,),
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0),
    query="histogram_quantile(0.95, sum by (le, query_type) (rate(db_query_duration_seconds_bucket[5m])))",
))  # fmt: skip
DB_SLOW_QUERIES = register(Metric(
    "db.slow.queries", "counter", "{query}", "Queries that took longer than TELEMETRY_SLOW_QUERY (0.1 s).",
    labels=(QUERY_TYPE,),
    query="sum by (query_type) (increase(db_slow_queries_total[1h]))",
))  # fmt: skip
DB_CONNECTIONS_ACTIVE = register(Metric(
    "db.connections.active", "updowncounter", "{connection}", "Database connections of the pool that are not free.",
    query="sum(db_connections_active)",
))  # fmt: skip
DB_POOL_SIZE = register(Metric(
    "db.pool.size", "gauge", "{connection}", "Connections of the pool: free, and in use or just being made.",
    labels=(POOL_STATE,),
    query="sum by (state) (db_pool_size)",
))  # fmt: skip
DB_POOL_MAX = register(Metric(
    "db.pool.max", "gauge", "{connection}", "Connections the pool may have at most.",
    query='sum(db_pool_size{state="in_use"}) / sum(db_pool_max)',
))  # fmt: skip
DB_POOL_WAIT = register(Metric(
    "db.pool.wait", "histogram", "s", "Time a request to the pool took until it had a connection, or was given up.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0),
    query="histogram_quantile(0.95, sum by (le) (rate(db_pool_wait_seconds_bucket[5m])))",
))  # fmt: skip
DB_POOL_REQUESTS = register(Metric(
    "db.pool.requests", "counter", "{request}", "Requests to the pool for a connection.",
    query="sum(rate(db_pool_requests_total[5m]))",
))  # fmt: skip
DB_POOL_REQUESTS_QUEUED = register(Metric(
    "db.pool.requests.queued", "counter", "{request}", "Requests that found no free connection and had to wait.",
    query="sum(rate(db_pool_requests_queued_total[5m])) / sum(rate(db_pool_requests_total[5m]))",
))  # fmt: skip
DB_POOL_REQUESTS_WAITING = register(Metric(
    "db.pool.requests.waiting", "gauge", "{request}", "Requests that wait for a connection now.",
    query="sum(db_pool_requests_waiting)",
))  # fmt: skip
DB_POOL_REQUESTS_ERRORS = register(Metric(
    "db.pool.requests.errors", "counter", "{request}",
    "Requests that got no connection: timed out, refused because too many waited, or given up.",
    query="sum(increase(db_pool_requests_errors_total[5m]))",
))  # fmt: skip
DB_POOL_CONNECTIONS_ERRORS = register(Metric(
    "db.pool.connections.errors", "counter", "{attempt}", "Attempts of the pool to connect that failed.",
    query="sum(increase(db_pool_connections_errors_total[5m]))",
))  # fmt: skip
DB_POOL_CONNECTIONS_LOST = register(Metric(
    "db.pool.connections.lost", "counter", "{connection}", "Connections that the pool found broken.",
    query="sum(increase(db_pool_connections_lost_total[5m]))",
))  # fmt: skip
DB_SIZE = register(Metric("db.size", "gauge", "By", "Size of the database on disk.", query="max(db_size_bytes)"))
EXTERNAL_API_CALLS = register(Metric(
    "external.api.calls", "counter", "{call}", "Calls to other companies' APIs, each attempt counted.",
    labels=(SERVICE, ENDING),
    query='sum by (service) (rate(external_api_calls_total{status="error"}[5m]))',
))  # fmt: skip
EXTERNAL_API_DURATION = register(Metric(
    "external.api.duration", "histogram", "s", "Time an attempt took until the answer's headers were there.",
    labels=(SERVICE,),
    buckets=(0.1, 0.5, 1.0, 2.0, 5.0, 10.0),
    query="histogram_quantile(0.95, sum by (le, service) (rate(external_api_duration_seconds_bucket[5m])))",
))  # fmt: skip
EXTERNAL_API_RATE_LIMIT = register(Metric(
    "external.api.rate.limit.remaining.ratio", "gauge", "{ratio}",
    "Share of a provider's rate limit that is left, from its own answer's headers.",
    labels=(SERVICE,),
    query="min by (service) (external_api_rate_limit_remaining_ratio)",
))  # fmt: skip
DOCTOR_CHECKS = register(Metric(
    "telemetry.doctor.checks", "counter", "{check}", "Runs of `python -m telemetry doctor` that reached Prometheus.",
    query="count(count_over_time(telemetry_doctor_checks_total[1d]))",
))  # fmt: skip
PROCESS_CPU_TIME = register(Metric(
    "process.cpu.time", "counter", "s", "Processor time the process has used.",
    query="sum by (instance) (rate(process_cpu_time_seconds_total[5m]))",
))  # fmt: skip
PROCESS_MEMORY_USAGE = register(Metric(
    "process.memory.usage", "updowncounter", "By", "Physical memory the process holds.",
    query="max by (instance) (process_memory_usage_bytes)",
))  # fmt: skip
PROCESS_START_TIME = register(Metric(
    "process.start.time", "gauge", "s", "When the process was started, in seconds since 1970.",
    query="time() - max by (instance) (process_start_time_seconds)",
))  # fmt: skip
HEARTBEAT = register(Metric(
    "telemetry.heartbeat.time", "gauge", "s",
    "When the runtime collector last began a round, in seconds since 1970; it does while the event loop lives.",
    query="time() - max by (instance) (telemetry_heartbeat_time_seconds)",
))  # fmt: skip
TELEMETRY_CREATED = register(Metric(
    "telemetry.created", "counter", "{item}", "Spans, metric points and error events this process has made to be sent.",
    labels=(SIGNAL,),
    query="sum by (signal) (rate(telemetry_created_total[5m]))",
))  # fmt: skip
TELEMETRY_SENT = register(Metric(
    "telemetry.sent", "counter", "{item}", "Those of them that the other side has taken.",
    labels=(SIGNAL,),
    query="sum by (signal) (rate(telemetry_sent_total[5m]))",
))  # fmt: skip
TELEMETRY_DROPPED = register(Metric(
    "telemetry.dropped", "counter", "{item}", "Those of them that will never be sent, by the reason.",
    labels=(SIGNAL, DROP_REASON),
    query="sum by (signal, reason) (increase(telemetry_dropped_total[1h]))",
))  # fmt: skip
TELEMETRY_LABEL_OVERFLOW = register(Metric(
    "telemetry.label.overflow", "counter", "{value}",
    "Recorded values with a label that became `other`, because the metric has too many values of it already.",
    labels=(Label("metric", limit=200),),
    query="sum by (metric) (increase(telemetry_label_overflow_total[1h]))",
))  # fmt: skip
TELEMETRY_QUEUE_SIZE = register(Metric(
    "telemetry.queue.size", "gauge", "{item}", "Those of them that wait in the process.",
    labels=(SIGNAL,),
    query="max by (instance) (telemetry_queue_size / telemetry_queue_capacity)",
))  # fmt: skip
TELEMETRY_QUEUE_CAPACITY = register(Metric(
    "telemetry.queue.capacity", "gauge", "{item}", "How many may wait; more are dropped.",
    labels=(SIGNAL,),
    query="max by (instance) (telemetry_queue_capacity)",
))  # fmt: skip
TELEMETRY_EXPORT_DURATION = register(Metric(
    "telemetry.export.duration", "histogram", "s", "Time an export to the Collector took, its repetitions included.",
    labels=(Label("signal", ("spans", "metrics")),),
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0),
    query="histogram_quantile(0.95, sum by (le, signal) (rate(telemetry_export_duration_seconds_bucket[5m])))",
))  # fmt: skip
