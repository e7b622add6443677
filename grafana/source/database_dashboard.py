"""The database as the application sees it: queries, the connection pool, size."""

from __future__ import annotations

from grafana.source import queries
from grafana.source.board import Board, Row, environment, instance, recorded
from grafana.source.links import to_dashboard, to_runbook
from grafana.source.panels import About, Ask, Look, gauge, joined, lines, stat, table
from grafana.source.promql import Queries
from grafana.source.style import PERCENTILES, POOL, Limits
from telemetry import catalog

__all__ = ["BOARD"]

ASK = Queries()
P95 = "95 of 100 within"
DURATION = catalog.DB_QUERY_DURATION
POOL_RUNBOOK = (to_runbook("Database connection pool exhausted"),)
SLOW = (to_runbook("Slow queries"), to_dashboard("api_dashboard", "Which endpoint?"))

HEALTH = Row("Is it well?", 5, (
    (6, gauge(
        About("Connection Pool Usage", "Share of the database connections the service may have that are in use. At "
              "100% requests have to wait.", "No pool reports", POOL_RUNBOOK),
        Ask(queries.pool_use()), look=Look("percentunit", 0, Limits(0.8, 0.95), maximum=1),
    )),
    (6, stat(
        About("Slow queries", "Queries that took longer than 100 ms in the time range.", "No query yet", SLOW),
        Ask(ASK.total(catalog.DB_SLOW_QUERIES), instant=True), look=Look(decimals=0, limits=Limits(10, 100)),
    )),
    (6, stat(
        About("Query time (p95)", "95 of 100 queries took less, in the time range.", "No query yet", SLOW),
        Ask(ASK.whole.quantile(0.95, DURATION), instant=True), look=Look("s", 3, Limits(0.05, 0.1)),
    )),
    (6, stat(
        About("Database Size", "How much room the data takes on disk.", "Not known"),
        Ask(ASK.now(catalog.DB_SIZE, "max")), look=Look("bytes", 1),
    )),
))  # fmt: skip

SYMPTOMS = Row("How fast are queries?", 8, (
    (12, lines(
        About("Query Latency (p50, p95, p99)", "Half of the queries are faster than p50, 95 of 100 faster than p95. "
              "The dots are single queries: click one to see the request it belongs to.", "No queries.", SLOW),
        Ask(ASK.quantile(0.50, DURATION), "p50"),
        Ask(ASK.quantile(0.95, DURATION), "p95", exemplars=True),
        Ask(ASK.quantile(0.99, DURATION), "p99"),
        look=Look("s", limits=Limits(0.05, 0.1), colours=PERCENTILES),
    )),
    (12, lines(
        About("Query Count (by type)", "Queries a second, by what they do.", "No queries."),
        Ask(ASK.rate(DURATION, "query_type", suffix="_count"), "{{query_type}}"), look=Look("ops", stacked=True),
    )),
))  # fmt: skip

CAUSES = Row("Where it comes from", 8, (
    (12, table(
        About("Slow Queries (>100ms)", "How many queries of each type took longer than 100 ms in the time range, of "
              "how many, and how long 95 of 100 took. Click a dot above to see one.", "No query yet.", SLOW),
        Ask(ASK.total(catalog.DB_SLOW_QUERIES, "query_type")),
        Ask(ASK.total(DURATION, "query_type", suffix="_count")),
        Ask(ASK.whole.quantile(0.95, DURATION, "query_type")),
        look=Look(decimals=0, units={P95: "s"}),
        shape=joined("query_type", {"query_type": "Type", "Value #A": "Slow", "Value #B": "All", "Value #C": P95}),
    )),
    (12, lines(
        About("Active Connections", "Database connections that each process holds.", "No process reports.",
              POOL_RUNBOOK),
        Ask(ASK.now(catalog.DB_CONNECTIONS_ACTIVE, by="instance"), "{{instance}}"), look=Look(decimals=0),
    )),
    (12, lines(
        About("Pool: free and in use", "Connections of the pool over time. When none is free, requests wait.",
              "No pool reports.", POOL_RUNBOOK),
        Ask(ASK.now(catalog.DB_POOL_SIZE, by="state"), "{{state}}"),
        look=Look(decimals=0, stacked=True, colours=POOL),
    )),
    (12, lines(
        About("Waiting for a connection", "How long requests wait for a connection. Solid: 95 of 100 wait less; "
              "dashed: half do. Normal is next to nothing.", "No request to the pool.", POOL_RUNBOOK),
        Ask(ASK.quantile(0.95, catalog.DB_POOL_WAIT), "p95", exemplars=True),
        Ask(ASK.quantile(0.50, catalog.DB_POOL_WAIT), "p50"), look=Look("s", dashed="/p50$/", colours=PERCENTILES),
    )),
    (12, lines(
        About("Requests to the pool", "Requests for a connection a minute, those that had to wait, and those that "
              "wait at the moment.", "No request to the pool.", POOL_RUNBOOK),
        Ask(ASK.per_minute(catalog.DB_POOL_REQUESTS), "asked, a minute"),
        Ask(ASK.per_minute(catalog.DB_POOL_REQUESTS_QUEUED), "had to wait, a minute"),
        Ask(ASK.now(catalog.DB_POOL_REQUESTS_WAITING), "wait now"), look=Look(decimals=0),
    )),
    (12, lines(
        About("Faults of the pool", "Requests that got no connection, attempts to connect that failed, and "
              "connections that broke, a minute. Normal is 0.", "The pool has no fault.", POOL_RUNBOOK),
        Ask(ASK.per_minute(catalog.DB_POOL_REQUESTS_ERRORS), "got none"),
        Ask(ASK.per_minute(catalog.DB_POOL_CONNECTIONS_ERRORS), "could not connect"),
        Ask(ASK.per_minute(catalog.DB_POOL_CONNECTIONS_LOST), "broke"), look=Look("suffix:/min"),
    )),
    (24, lines(
        About("Size over time", "Growth of the data on disk.", "Not known."),
        Ask(ASK.now(catalog.DB_SIZE, "max"), "size"), look=Look("bytes"),
    )),
))  # fmt: skip

BOARD = Board(
    "database_dashboard", "Database", "How fast the database answers, and whether there are connections enough.",
    (HEALTH, SYMPTOMS, CAUSES), (environment(), instance(), recorded()),
)  # fmt: skip
