"""Does the data arrive? Every hop from the application to the stores, and what each has lost."""

from __future__ import annotations

from grafana.source import queries
from grafana.source.board import Board, Row, environment, instance
from grafana.source.collector import FROM_APPS, QUEUE_USE, increase, lost, rate
from grafana.source.links import to_runbook
from grafana.source.panels import About, Ask, Look, joined, lines, merged, rename, stat, table
from grafana.source.promql import Queries
from grafana.source.style import Limits
from telemetry import catalog

__all__ = ["BOARD"]

ASK = Queries()
STUCK, LOST = (to_runbook("The pipeline is stuck"),), (to_runbook("Data was lost"),)
SILENT = (to_runbook("No data"),)
KINDS = ("spans", "metric_points")
AT_THE_DOOR = [f"otelcol_receiver_{fate}_{what}_total" for what in KINDS for fate in ("accepted", "refused", "failed")]


def dropped(signal: str) -> str:
    """Items that the applications dropped before the Collector had them; 0 where none was, or none reports."""
    of_signal = f'signal="{signal}"'
    return f"({ASK.total(catalog.TELEMETRY_DROPPED, where=of_signal)} or vector(0))"


HEALTH = Row("Is it well?", 4, (
    (5, stat(
        About("Spans lost", "Steps of traces that the application or the pipeline gave up for good in the time range. "
              "Anything above 0 is worth a look.", "No Collector reports", LOST),
        Ask(f"sum ({lost('spans')}) + {dropped('spans')}", instant=True),
        look=Look(decimals=0, limits=Limits(1, 100)),
    )),
    (5, stat(
        About("Measurements lost", "Measured values that the application or the pipeline gave up for good in the time "
              "range; counters catch up with the next one.",
              "No Collector reports", LOST),
        Ask(f"sum ({lost('metric_points')}) + {dropped('metrics')}", instant=True),
        look=Look(decimals=0, limits=Limits(1, 100)),
    )),
    (5, stat(
        About("Fullest queue", "How full the fullest waiting room is. It fills while a store is away; at 100% data is "
              "refused.",
              "No Collector reports", STUCK),
        Ask(f"max ({QUEUE_USE})"), look=Look("percentunit", 0, Limits(0.5, 0.8)),
    )),
    (5, stat(
        About("Silent processes", "Parts of the service that have reported in the last hour, but not in the last two "
              "minutes: ended, or cut off.", "None reported in the last hour", SILENT),
        Ask(f"count ({queries.heartbeat_age()} > 120) or 0 * count ({queries.heartbeat_age()})", instant=True),
        look=Look(decimals=0, limits=Limits(1, 3)),
    )),
    (4, stat(
        About("Last self-test", "How long ago `make doctor` last sent something through and found it again.",
              "Not run within a day: make doctor", SILENT),
        Ask(f"time() - max (max_over_time(timestamp({ASK.series(catalog.DOCTOR_CHECKS)})[1d:1m]))", instant=True),
        look=Look("s", 0),
    )),
))  # fmt: skip

SYMPTOMS = Row("What comes in, what goes out", 8, (
    (12, lines(
        About("Spans: received and delivered", "Steps of traces a second. Received and delivered must be the same "
              "line; a gap is waiting in a queue, or lost.", "No traces.", STUCK),
        Ask(rate("otelcol_receiver_accepted_spans_total", FROM_APPS), "received"),
        Ask(rate("otelcol_exporter_sent_spans_total", by="exporter"), "delivered: {{exporter}}"), look=Look("cps"),
    )),
    (12, lines(
        About("Measurements: received and delivered", "Measured values a second, through the queue on disk and into "
              "Prometheus. The lines must lie on each other.", "No metrics.", STUCK),
        Ask(rate("otelcol_receiver_accepted_metric_points_total", FROM_APPS), "received"),
        Ask(rate("otelcol_exporter_sent_metric_points_total", 'exporter="otlp_http/loop"'), "delivered"),
        look=Look("cps"),
    )),
))  # fmt: skip

CAUSES = Row("Where it was lost, hop by hop", 7, (
    (12, table(
        About("0. In the application", "What the application made in the time range, what the Collector or Sentry took "
              "of it, and what was dropped. The rest waits.", "No process has reported.", LOST),
        *(Ask(ASK.total(metric, "signal"), instant=True)
          for metric in (catalog.TELEMETRY_CREATED, catalog.TELEMETRY_SENT, catalog.TELEMETRY_DROPPED)),
        look=Look(decimals=0), shape=joined("signal", {
            "signal": "Kind", "Value #A": "Made", "Value #B": "Taken", "Value #C": "Dropped",
        }),
    )),
    (12, lines(
        About("Dropped in the application, by reason", "Items a minute that the application dropped: its queue was "
              "full, nobody answered, the other side refused them, or asked for fewer.", "Nothing was dropped.", LOST),
        Ask(f"{ASK.per_minute(catalog.TELEMETRY_DROPPED, 'signal, reason')} > 0", "{{signal}}: {{reason}}"),
        look=Look("cpm"),
    )),
    (12, table(
        About("1. At the door", "What the Collector accepted in the time range, and what it turned away because it "
              "had no room (refused) or could not pass on (failed).", "No Collector reports.", LOST),
        *(Ask(increase(metric, by="receiver")) for metric in AT_THE_DOOR),
        look=Look(decimals=0), shape=joined("receiver", {
            "receiver": "Receiver", "Value #A": "Spans accepted", "Value #B": "Spans refused",
            "Value #C": "Spans failed", "Value #D": "Values accepted", "Value #E": "Values refused",
            "Value #F": "Values failed",
        }),
    )),
    (12, table(
        About("2. On the way", "What went into each processing step in the time range, and what came out. Fewer out "
              "than in means that the step dropped some.", "No Collector reports.", LOST),
        Ask(increase("otelcol_processor_incoming_items_total", by="processor, otel_signal")),
        Ask(increase("otelcol_processor_outgoing_items_total", by="processor, otel_signal")),
        look=Look(decimals=0), shape=[merged(), rename({
            "processor": "Step", "otel_signal": "Kind", "Value #A": "In", "Value #B": "Out",
        })],
    )),
    (12, table(
        About("3. Out to the stores", "What each exporter delivered in the time range, and what it gave up for good.",
              "No Collector reports.", LOST),
        Ask(" or ".join(increase(f"otelcol_exporter_sent_{what}_total", by="exporter") for what in KINDS)),
        Ask(" or ".join(lost(what) for what in KINDS)),
        look=Look(decimals=0), shape=joined("exporter", {
            "exporter": "Exporter", "Value #A": "Delivered", "Value #B": "Given up",
        }),
    )),
    (12, lines(
        About("Waiting in the application", "How full the queue of spans of each process is. It fills while the "
              "Collector is away; at 100% the newest spans are dropped.", "No process has reported.", STUCK),
        Ask(f"max by (instance) ({ASK.series(catalog.TELEMETRY_QUEUE_SIZE)} / "
            f"{ASK.series(catalog.TELEMETRY_QUEUE_CAPACITY)})", "{{instance}}"),
        look=Look("percentunit", maximum=1, limits=Limits(0.5, 0.8)),
    )),
    (12, lines(
        About("Time to hand over", "How long an export to the Collector takes, its repetitions included: nineteen of "
              "twenty are faster.", "Nothing was exported.", STUCK),
        Ask(ASK.quantile(0.95, catalog.TELEMETRY_EXPORT_DURATION, "signal"), "{{signal}}"), look=Look("s"),
    )),
    (12, lines(
        About("Waiting in queues", "How full each exporter's queue on disk is. It fills while a store is away and "
              "empties when it is back.", "No Collector reports.", STUCK),
        Ask(QUEUE_USE, "{{exporter}}"), look=Look("percentunit", maximum=1, limits=Limits(0.5, 0.8)),
    )),
    (12, table(
        About("Heartbeats", "When each process of the last hour last reported. One that runs does so every 15 seconds.",
              "No process has reported in the last hour.", SILENT),
        Ask(f"sort_desc({queries.heartbeat_age()})"), look=Look("s", 0),
        shape=[rename({"service_name": "Service", "instance": "Process", "Value": "Silent for"})],
    )),
    (12, lines(
        About("Queue on disk", "How much waits on disk, by exporter.", "No Collector reports.", STUCK),
        Ask("sum by (exporter) (otelcol_exporter_queue_size)", "{{exporter}}"), look=Look("bytes"),
    )),
    (6, lines(
        About("Series written", "Series a second that go to Prometheus.", "No Collector reports.", STUCK),
        Ask(rate("otelcol_exporter_prometheusremotewrite_translated_time_series_total"), "series"),
        look=Look("cps"),
    )),
    (6, lines(
        About("Collector: processor", "Share of one processor core it uses.", "No Collector reports.", STUCK),
        Ask(rate("otelcol_process_cpu_seconds_total", by="instance"), "{{instance}}"), look=Look("percentunit"),
    )),
    (6, lines(
        About("Collector: memory", "Memory it holds. Above 400 MB it refuses data rather than fall over.",
              "No Collector reports.", STUCK),
        Ask("max by (instance) (otelcol_process_memory_rss_bytes)", "{{instance}}"),
        look=Look("bytes", limits=Limits(400e6, 500e6)),
    )),
    (6, lines(
        About("Labels past their bounds", "Recorded values a minute whose label became `other`, by metric: somebody "
              "sends more routes, commands or kinds of errors than the catalog allows.", "Every label is within "
              "its bounds.", LOST),
        Ask(f"{ASK.per_minute(catalog.TELEMETRY_LABEL_OVERFLOW, 'metric')} > 0", "{{metric}}"),
        look=Look("cpm"),
    )),
))  # fmt: skip

BOARD = Board(
    "pipeline_dashboard", "Pipeline", "Does everything that was measured arrive? If not, where was it lost?",
    (HEALTH, SYMPTOMS, CAUSES), (environment(), instance()),
)  # fmt: skip
