"""The alerts on silence, and on the way of the data: without them all others could be silent for a bad reason."""

from __future__ import annotations

from grafana.source.alert_queries import ASK, ENVIRONMENT, PROCESS, SERVICE, counted, first_seen, grown, last_seen
from grafana.source.alerts import CRITICAL, WARNING, Alert, Level, Place
from grafana.source.collector import FROM_APPS, QUEUE_USE
from telemetry import catalog

__all__ = ["ALERTS"]

CPU = catalog.PROCESS_CPU_TIME
COLLECTOR_ABSENT = "absent_over_time(otelcol_process_cpu_seconds_total[30s])"
CUT_OFF = f"max_over_time({COLLECTOR_ABSENT}[2m:10s])"
"""All metrics come through the Collector: while it is not heard nobody else is, and that means nothing. When it is
back, processes whose exports failed try again within half a minute."""
SHORTEST_LIFE = 300
"""Seconds a service must have reported before its silence means something: a script of a minute may end."""
REPLACED_WITHIN = 600
"""Seconds: a process that falls silent so soon after another of its service began was replaced by a deployment."""


def _silent(level: Level) -> str:
    newest = last_seen(CPU, SERVICE)
    quiet = f"time() - {newest} > {level.limit:g}"
    if level.severity == CRITICAL:
        return f"{quiet} and {newest} - {first_seen(CPU, SERVICE)} >= {SHORTEST_LIFE} unless on () {CUT_OFF}"
    last, began = last_seen(CPU, PROCESS), f"max by ({SERVICE}) ({first_seen(CPU, PROCESS)})"
    alone = f"{last} - on ({SERVICE}) group_left () {began} > {REPLACED_WITHIN}"
    dead = f"time() - {last} > {level.limit:g} and {alone} unless on ({SERVICE}) {quiet}"
    return f"{dead} unless on () {CUT_OFF}"


def _no_messages(level: Level) -> str:
    messages, window = ASK.series(catalog.TELEGRAM_MESSAGES), _NO_MESSAGES_WINDOW[level.severity]
    usual = f"sum by ({ENVIRONMENT}) (increase({messages}[{window}] offset 1d)) >= {level.limit:g}"
    return f"{usual} unless {counted(catalog.TELEGRAM_MESSAGES, window)} > 0"


_NO_MESSAGES_WINDOW = {WARNING: "1h", CRITICAL: "30m"}


def _collector_silent(_: Level) -> str:
    return COLLECTOR_ABSENT


def _lost(level: Level) -> str:
    return " or ".join(f"{_given_up(what, kind)} > {level.limit:g}" for what, kind in _SIGNALS.items())


_SIGNALS = {"spans": "traces", "metric_points": "metrics"}


def _given_up(what: str, data_type: str) -> str:
    """Items an exporter lost in ten minutes; only what it says is permanent, since it sends the rest again."""
    zero = f'0 * sum by (exporter) (otelcol_exporter_queue_size{{data_type="{data_type}"}})'
    failed = grown(f'otelcol_exporter_send_failed_{what}_total{{error_permanent="true"}}', "10m", "exporter")
    unqueued = grown(f"otelcol_exporter_enqueue_failed_{what}_total", "10m", "exporter")
    return f"({failed} or {zero}) + ({unqueued} or {zero})"


def _refused(level: Level) -> str:
    kinds = [grown(f"otelcol_receiver_refused_{what}_total{{{FROM_APPS}}}", "5m", "receiver") for what in _SIGNALS]
    return " or ".join(f"{kind} > {level.limit:g}" for kind in kinds)


def _stuck(level: Level) -> str:
    waiting = f"max by (exporter) (min_over_time(otelcol_exporter_queue_size[2m])) > {level.limit:g}"
    sent = [f"sum by (exporter) (rate(otelcol_exporter_sent_{what}_total[2m])) > 0" for what in _SIGNALS]
    return f"{waiting} unless ({' or '.join(sent)})"


def _full(level: Level) -> str:
    return f"{QUEUE_USE} > {level.limit:g}"


SILENT = Alert(
    "ProcessSilent", "processes", "operations", "seconds",
    "<service_name> in <environment> has been silent for <value>: it is dead, hangs, or is cut off.",
    "A process reports every 15 seconds whatever it does. Critical: no process of the service reports. Warning: one "
    "of several does not, and no new one has taken its place.",
    "No data", Place("pipeline_dashboard", "Heartbeats"), _silent,
    (Level(WARNING, 75, "30s"), Level(CRITICAL, 75, "30s")), ("CollectorSilent",), ("service_name",),
)  # fmt: skip
NO_MESSAGES = Alert(
    "BotHandlesNothing", "bot", "application", "count",
    "The bot in <environment> has handled no message for half an hour or longer; yesterday at this time they were "
    "<value>.",
    "Nobody writes, or updates do not arrive: a revoked token, a second bot with the same token, the network. "
    "Critical: none for half an hour, where there were 100. Warning: none for an hour, where there were 75.",
    "Telegram does not answer", Place("bot_dashboard", "Messages per Minute"), _no_messages,
    (Level(WARNING, 75, "5m"), Level(CRITICAL, 100, "5m")), ("CollectorSilent", "ProcessSilent"),
)  # fmt: skip
COLLECTOR_SILENT = Alert(
    "CollectorSilent", "processes", "operations", "count",
    "The Collector has not reported for a minute and a half: nothing arrives, and no other alert can be trusted.",
    "It reports every 5 seconds, by the way of all metrics: it is dead, or its way to Prometheus is blocked.",
    "No data", Place("pipeline_dashboard", "Series written"), _collector_silent,
    (Level(CRITICAL, 0, "1m"),), of_environment=False,
)  # fmt: skip
LOST = Alert(
    "DataLost", "pipeline", "operations", "count",
    "The Collector has lost <value> items for good at <exporter> within 10 minutes.",
    "Refused by the store or by a full queue, not sent again. What was lost is missing on the dashboards.",
    "Data was lost", Place("pipeline_dashboard", "3. Out to the stores"), _lost,
    (Level(WARNING, 0, "1m"), Level(CRITICAL, 10_000, "1m")), told_apart_by=("exporter",), of_environment=False,
)  # fmt: skip
REFUSED = Alert(
    "DataRefused", "pipeline", "operations", "count",
    "The Collector has turned away <value> items of applications within 5 minutes, for <for>.",
    "It has no room. Applications send again for a minute, then give up.",
    "Data was lost", Place("pipeline_dashboard", "1. At the door"), _refused,
    (Level(WARNING, 0, "2m"), Level(CRITICAL, 10_000, "2m")), ("QueueFills",), of_environment=False,
)  # fmt: skip
STUCK = Alert(
    "ExporterStuck", "pipeline", "operations", "count",
    "<exporter> has <value> bytes waiting and has sent nothing for more than <for>: the store behind it is away.",
    "Nothing is lost until its queue is full; it drains by itself when the store is back.",
    "The pipeline is stuck", Place("pipeline_dashboard", "Queue on disk"), _stuck,
    (Level(WARNING, 0, "1m"), Level(CRITICAL, 0, "30m")), ("CollectorSilent",), ("exporter",), of_environment=False,
)  # fmt: skip
FULL = Alert(
    "QueueFills", "pipeline", "operations", "percent",
    "The queue of <exporter> is <value> full: above <limit> for <for>.",
    "At 100% data is refused. The store behind it is away, or slower than what comes in.",
    "The pipeline is stuck", Place("pipeline_dashboard", "Waiting in queues"), _full,
    (Level(WARNING, 0.5, "2m"), Level(CRITICAL, 0.8, "2m")), ("ExporterStuck",), ("exporter",), of_environment=False,
)  # fmt: skip
ALERTS = (SILENT, NO_MESSAGES, COLLECTOR_SILENT, LOST, REFUSED, STUCK, FULL)
