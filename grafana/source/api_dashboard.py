"""The REST API: traffic, errors and latency, by endpoint."""

from __future__ import annotations

from grafana.source import queries
from grafana.source.board import Board, Row, environment, instance, recorded
from grafana.source.links import to_dashboard, to_runbook
from grafana.source.panels import About, Ask, Look, heatmap, lines, rename, stat, table
from grafana.source.processes import processes
from grafana.source.promql import Queries
from grafana.source.style import PERCENTILES, Limits
from telemetry import catalog

__all__ = ["BOARD"]

ASK = Queries()
REQUESTS, DURATION = catalog.HTTP_REQUESTS, catalog.HTTP_REQUEST_DURATION
DATABASE = to_dashboard("database_dashboard", "Is it the database?")
FAILED = (to_runbook("High error rate"),)
SLOW = (to_runbook("High latency"), DATABASE)

HEALTH = Row("Is it well?", 4, (
    (6, stat(
        About("Requests that fail", "Of 100 requests, how many ended with a server error in the time range. Below 1 "
              "is normal.",
              "No requests", FAILED),
        Ask(queries.api_failed(), instant=True), look=Look("percentunit", 1, Limits(0.01, 0.05)),
    )),
    (6, stat(
        About("Slow requests", "95 of 100 requests were answered within this time.", "No requests", SLOW),
        Ask(ASK.whole.quantile(0.95, DURATION), instant=True), look=Look("s", 2, Limits(1, 3)),
    )),
    (6, stat(
        About("Requests", "Requests answered in the time range.", "None"),
        Ask(ASK.total(REQUESTS), instant=True), look=Look(decimals=0),
    )),
    (6, stat(
        About("Processes that report", "How many parts of the service have reported within the last two minutes.",
              "None: nothing runs", (to_runbook("No data"),)),
        Ask(queries.alive(), instant=True), look=Look(decimals=0, limits=Limits(1, 0.5)),
    )),
))  # fmt: skip

SYMPTOMS = Row("What callers notice", 8, (
    (12, lines(
        About("Errors by endpoint", "Share of each endpoint's requests that end with a server error.",
              "No endpoint failed.", FAILED),
        Ask(queries.api_failures(), "{{endpoint}}"), look=Look("percentunit", maximum=1),
    )),
    (12, lines(
        About("Latency (p50, p95, p99)", "Half of the requests are faster than p50, 95 of 100 faster than p95. The "
              "dots are single requests: click one to see what it did.", "No requests.", SLOW),
        Ask(ASK.quantile(0.50, DURATION), "p50"),
        Ask(ASK.quantile(0.95, DURATION), "p95", exemplars=True),
        Ask(ASK.quantile(0.99, DURATION), "p99"),
        look=Look("s", limits=Limits(1, 3), colours=PERCENTILES),
    )),
))  # fmt: skip

TRAFFIC = Row("Traffic", 8, (
    (12, lines(
        About("Requests by endpoint", "Requests a second to each endpoint.", "No requests."),
        Ask(ASK.rate(REQUESTS, "endpoint"), "{{endpoint}}"), look=Look("reqps", stacked=True),
    )),
    (12, lines(
        About("Answers by status", "Answers a second by their status: 2xx is good, 4xx the caller's mistake, 5xx ours.",
              "No requests.", FAILED),
        Ask(ASK.rate(REQUESTS, "status"), "{{status}}"), look=Look("reqps"),
    )),
))  # fmt: skip

CAUSES = Row("Which endpoint?", 9, (
    (12, lines(
        About("Latency by endpoint (p95)", "95 of 100 requests to each endpoint are faster. The dots are single "
              "requests.",
              "No requests.", SLOW),
        Ask(ASK.quantile(0.95, DURATION, "endpoint"), "{{endpoint}}", exemplars=True), look=Look("s"),
    )),
    (12, heatmap(
        About("All requests by duration", "Each column is a moment, each row a duration: the darker a field, the more "
              "requests took that long.", "No requests.", SLOW),
        Ask(ASK.distribution(DURATION), exemplars=True), look=Look("s"),
    )),
    (24, table(
        About("Endpoints", "Each endpoint's answers in the time range, the most frequent first.", "No requests.",
              FAILED),
        Ask(f'sort_desc({ASK.total(REQUESTS, "method, endpoint, status")} > 0)'), look=Look(decimals=0),
        shape=[rename({"method": "Method", "endpoint": "Endpoint", "status": "Status", "Value": "Requests"})],
    )),
    (12, lines(
        About("Streams that ended", "Streams and open connections (server-sent events, WebSockets) that ended a "
              "minute. They are no part of the latencies above.", "No stream ended."),
        Ask(ASK.per_minute(catalog.HTTP_STREAM_DURATION, "kind, endpoint", suffix="_count"), "{{kind}} {{endpoint}}"),
        look=Look("suffix:/min"),
    )),
    (12, lines(
        About("How long streams are open", "Solid: 95 of 100 are shorter; dashed: half are.", "No stream ended."),
        Ask(ASK.quantile(0.95, catalog.HTTP_STREAM_DURATION, "kind"), "{{kind}} p95"),
        Ask(ASK.quantile(0.50, catalog.HTTP_STREAM_DURATION, "kind"), "{{kind}} p50"), look=Look("s", dashed="/p50$/"),
    )),
    *processes(),
))  # fmt: skip

BOARD = Board(
    "api_dashboard", "REST API", "Who calls the API, which requests fail or are slow, and why.",
    (HEALTH, SYMPTOMS, TRAFFIC, CAUSES), (environment(), instance(), recorded()),
)  # fmt: skip
