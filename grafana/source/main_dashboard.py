"""Is it well? The one to open first."""

from __future__ import annotations

from grafana.source import queries
from grafana.source.board import Board, Row, environment, instance, recorded
from grafana.source.links import to_dashboard, to_runbook
from grafana.source.panels import About, Ask, Look, bars, heatmap, lines, rename, stat, table
from grafana.source.promql import DASHBOARD, Queries, Scope
from grafana.source.style import PERCENTILES, TOKENS, Limits
from telemetry import catalog

__all__ = ["BOARD"]

ASK = Queries()
DAY = Queries(Scope(DASHBOARD.environment, DASHBOARD.instance, DASHBOARD.window, "24h"))
API, BOT = to_dashboard("api_dashboard", "The API in detail"), to_dashboard("bot_dashboard", "The bot in detail")
AI = to_dashboard("ai_dashboard", "The AI in detail")
PIPELINE = to_dashboard("pipeline_dashboard", "Does the data arrive?")
ERRORS = to_runbook("High error rate")

HEALTH = Row("Is it well?", 5, (
    (4, stat(
        About("API requests that fail", "Of 100 requests to the API, how many ended with a server error in the time "
              "range. Below 1 is normal.", "No requests", (API, ERRORS)),
        Ask(queries.api_failed(), instant=True), look=Look("percentunit", 1, Limits(0.01, 0.05)),
    )),
    (4, stat(
        About("Messages that fail", "Of 100 messages to the bot, how many it could not answer in the time range. "
              "Below 1 is normal.", "No messages", (BOT, ERRORS)),
        Ask(queries.bot_failed(), instant=True), look=Look("percentunit", 1, Limits(0.01, 0.05)),
    )),
    (4, stat(
        About("Active Users (last hour)", "People who wrote to the bot within the last hour.", "Not known", (BOT,)),
        Ask(ASK.now(catalog.ACTIVE_USERS, "max", where='time_period="last_hour"')), look=Look(decimals=0),
    )),
    (4, stat(
        About("Total Requests Today", "Requests to the API and messages to the bot since midnight.", "None yet",
              (API, BOT)),
        Ask(ASK.total(catalog.HTTP_REQUESTS), "API requests", instant=True),
        Ask(ASK.total(catalog.TELEGRAM_MESSAGES), "Messages", instant=True),
        look=Look(decimals=0), over="now/d",
    )),
    (4, stat(
        About("Food Photos Processed", "Photos of food that were analysed in the time range.", "None", (AI,)),
        Ask(ASK.total(catalog.FOOD_PHOTOS), instant=True), look=Look(decimals=0),
    )),
    (4, stat(
        About("Last sign of life", "How long ago any part of the service last reported. Above two minutes nothing "
              "runs, or its reports do not arrive.", "Silent for over an hour", (PIPELINE, to_runbook("No data"))),
        Ask(f"min ({queries.heartbeat_age()})", instant=True), look=Look("s", 0, Limits(60, 120)),
    )),
))  # fmt: skip

SYMPTOMS = Row("What people notice", 8, (
    (12, lines(
        About("Error Rate (errors/min)", "Errors a minute by the part of the service where they arose. A short peak "
              "is normal, a line that stays up is not.", "No error in this time range.", (ERRORS,)),
        Ask(queries.errors_per_minute("component"), "{{component}}"), look=Look("suffix:/min"),
    )),
    (12, lines(
        About("Request Latency (p50, p95, p99)", "How long API requests take: half of them are faster than p50, 95 of "
              "100 faster than p95. The dots are single requests: click one to see what it did.", "No requests.",
              (API, to_runbook("High latency"))),
        Ask(ASK.quantile(0.50, catalog.HTTP_REQUEST_DURATION), "p50"),
        Ask(ASK.quantile(0.95, catalog.HTTP_REQUEST_DURATION), "p95", exemplars=True),
        Ask(ASK.quantile(0.99, catalog.HTTP_REQUEST_DURATION), "p99"),
        look=Look("s", limits=Limits(1, 3), colours=PERCENTILES),
    )),
    (12, heatmap(
        About("Agent Response Time Distribution", "Each column is a moment, each row a duration: the darker a field, "
              "the more answers of the AI took that long. Dark fields should stay low.",
              "The AI was not asked.", (AI,)),
        Ask(ASK.distribution(catalog.AGENT_RESPONSE_DURATION), exemplars=True), look=Look("s"),
    )),
    (12, bars(
        About("Token Usage (OpenAI + Anthropic)", "How much text each provider's models have read (input) and written "
              "(output) in the time range. Tokens are what providers charge for.", "No model was asked.", (AI,)),
        "provider",
        Ask(ASK.total(catalog.AGENT_TOKENS, "provider", 'type="input"'), "input"),
        Ask(ASK.total(catalog.AGENT_TOKENS, "provider", 'type="output"'), "output"),
        look=Look(colours=TOKENS, stacked=True),
    )),
))  # fmt: skip

CAUSES = Row("Where it comes from", 9, (
    (24, table(
        About("Top Errors (last 24h)", "The most frequent kinds of error of the last 24 hours, and the part of the "
              "service where they arose. The kind's name finds it in Sentry.",
              "No error in the last 24 hours.", (ERRORS,)),
        Ask(f'topk(10, {DAY.total(catalog.ERRORS, "error_type, component")} > 0)'),
        look=Look(decimals=0), over="24h",
        shape=[rename({"error_type": "Error", "component": "Where", "Value": "How often"})],
    )),
))  # fmt: skip

BOARD = Board(
    "main_dashboard", "Overview", "Is the service well, what do people notice, and where does it come from?",
    (HEALTH, SYMPTOMS, CAUSES), (environment(), instance(), recorded()),
)  # fmt: skip
