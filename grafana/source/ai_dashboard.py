"""What the AI does, how fast, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.source.board import Board, Row, environment, instance, label_variable, recorded
from grafana.source.links import to_dashboard, to_runbook
from grafana.source.panels import About, Ask, Look, bars, heatmap, lines, pie, stat
from grafana.source.promql import Queries, share
from grafana.source.style import CONFIDENCE, TOKENS, Limits
from telemetry import catalog

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Panel

__all__ = ["BOARD"]

ASK = Queries()
MODEL = 'model=~"$model"'
CALLS, TOKEN_COUNT, RESPONSE = catalog.EXTERNAL_API_CALLS, catalog.AGENT_TOKENS, catalog.AGENT_RESPONSE_DURATION
SLOW = (to_runbook("High latency"), to_dashboard("conversation_dashboard", "One conversation"))
LIMIT = (to_runbook("API rate limit approaching"),)
COST = (to_runbook("Cost of models"),)
CACHED = share(
    ASK.total(catalog.AGENT_CACHED_TOKENS, where=f'{MODEL}, type="read"'),
    ASK.total(TOKEN_COUNT, where=f'{MODEL}, type="input"'),
)

HEALTH = Row("Is it well?", 4, (
    (5, stat(
        About("Calls that fail", "Of 100 calls to the AI providers and the food database, how many failed in the time "
              "range. The service tries again by itself.", "No calls", LIMIT),
        Ask(share(ASK.total(CALLS, where='status="error"'), ASK.total(CALLS)), instant=True),
        look=Look("percentunit", 1, Limits(0.05, 0.2)),
    )),
    (5, stat(
        About("Slow answers", "95 of 100 answers of the AI took less, tools and retries included.", "No answer", SLOW),
        Ask(ASK.whole.quantile(0.95, RESPONSE, where=MODEL), instant=True), look=Look("s", 1, Limits(10, 20)),
    )),
    (5, stat(
        About("Cost", "What the models' answers cost in the time range, at list prices.", "No answer", COST),
        Ask(ASK.total(catalog.AGENT_COST, where=MODEL), instant=True), look=Look("currencyUSD", 3),
    )),
    (4, stat(
        About("Read from cache", "Share of the text sent to models that they had read before. It costs a tenth.",
              "No answer", COST),
        Ask(CACHED, instant=True), look=Look("percentunit", 0),
    )),
    (5, stat(
        About("Rate limit left", "What is left of the most used-up provider's limit. Near 0 it refuses calls.",
              "No provider tells", LIMIT),
        Ask(ASK.now(catalog.EXTERNAL_API_RATE_LIMIT, "min")), look=Look("percentunit", 0, Limits(0.2, 0.1)),
    )),
))  # fmt: skip


def by_complexity(complexity: str, meaning: str) -> Panel:
    """Show how long the answers of one complexity took."""
    return heatmap(
        About(f"Response time, {complexity}", f"Answers {meaning}. Each column is a moment, each row a duration: the "
              f"darker a field, the more answers took that long.", "No such answer.", SLOW),
        Ask(ASK.distribution(RESPONSE, f'{MODEL}, complexity="{complexity}"'), exemplars=True), look=Look("s"),
    )  # fmt: skip


SPEED = Row("How fast does it answer?", 8, (
    (12, by_complexity("simple", "that needed no tool")),
    (12, by_complexity("complex", "that needed tools, or several steps")),
    (12, lines(
        About("Response time by model", "Solid: 95 of 100 answers are faster; dashed: half are. The dots are single "
              "answers.",
              "No answer.", SLOW),
        Ask(ASK.quantile(0.95, RESPONSE, "model", MODEL), "{{model}} p95", exemplars=True),
        Ask(ASK.quantile(0.50, RESPONSE, "model", MODEL), "{{model}} p50"), look=Look("s", dashed="/p50$/"),
    )),
    (12, lines(
        About("Time to first token", "How long until a streamed answer begins. Solid: 95 of 100 begin sooner; dashed: "
              "half do.",
              "No answer was streamed: those that come in one piece have no first token.", SLOW),
        Ask(ASK.quantile(0.95, catalog.AGENT_TIME_TO_FIRST_TOKEN, "model", MODEL), "{{model}} p95", exemplars=True),
        Ask(ASK.quantile(0.50, catalog.AGENT_TIME_TO_FIRST_TOKEN, "model", MODEL), "{{model}} p50"),
        look=Look("s", dashed="/p50$/"),
    )),
))  # fmt: skip

SPENDING = Row("What does it cost?", 8, (
    (8, bars(
        About("Tokens by model", "How much text each model has read (input) and written (output) in the time range.",
              "No answer.", COST),
        "model",
        Ask(ASK.total(TOKEN_COUNT, "model", f'{MODEL}, type="input"'), "input"),
        Ask(ASK.total(TOKEN_COUNT, "model", f'{MODEL}, type="output"'), "output"),
        look=Look(colours=TOKENS, stacked=True),
    )),
    (8, lines(
        About("Tokens per minute", "Tokens a minute, by model and direction.", "No answer.", COST),
        Ask(ASK.per_minute(TOKEN_COUNT, "model, type", MODEL), "{{model}} {{type}}"), look=Look("suffix:/min"),
    )),
    (8, lines(
        About("Cost per hour", "Dollars an hour at the present pace, by model.", "No answer.", COST),
        Ask(f'{ASK.rate(catalog.AGENT_COST, "model", MODEL)} * 3600', "{{model}}"), look=Look("currencyUSD"),
    )),
    (8, lines(
        About("Cached tokens per minute", "Text that models read from their cache instead of anew, and that was "
              "written there.", "No answer.", COST),
        Ask(ASK.per_minute(catalog.AGENT_CACHED_TOKENS, "model, type", MODEL), "{{model}} {{type}}"),
        look=Look("suffix:/min"),
    )),
    (8, lines(
        About("Answers of unknown price", "Answers a minute whose model is in no price list: the cost above lacks "
              "them.",
              "The price of every answer is known.", COST),
        Ask(ASK.per_minute(catalog.AGENT_COST_UNKNOWN, "model", MODEL), "{{model}}"), look=Look("suffix:/min"),
    )),
    (8, pie(
        About("Food photos by confidence", "How sure the model was of what it saw on the photos of the time range.",
              "No photo.", SLOW),
        Ask(f'{ASK.total(catalog.FOOD_PHOTOS, "confidence_level")} > 0', "{{confidence_level}}"),
        look=Look(decimals=0, colours=CONFIDENCE),
    )),
))  # fmt: skip

CAUSES = Row("The services behind it", 8, (
    (12, lines(
        About("Calls to other services", "Calls a minute to AI providers and the food database, each attempt counted, "
              "by how they ended.", "No calls.", LIMIT),
        Ask(ASK.per_minute(CALLS, "service, status"), "{{service}} {{status}}"), look=Look("suffix:/min"),
    )),
    (12, lines(
        About("How fast they answer (p95)", "95 of 100 calls to each service were faster.", "No calls.", SLOW),
        Ask(ASK.quantile(0.95, catalog.EXTERNAL_API_DURATION, "service"), "{{service}}", exemplars=True),
        look=Look("s"),
    )),
    (12, lines(
        About("Rate limit left, by service", "Share of each provider's limit that is left, as the provider tells it. "
              "At 0 it refuses calls.", "No provider tells.", LIMIT),
        Ask(ASK.now(catalog.EXTERNAL_API_RATE_LIMIT, "min", "service"), "{{service}}"),
        look=Look("percentunit", maximum=1, limits=Limits(0.2, 0.1)),
    )),
    (12, lines(
        About("Time to analyse a food photo", "Solid: 95 of 100 photos were faster; dashed: half were.", "No photo.",
              SLOW),
        Ask(ASK.quantile(0.95, catalog.FOOD_PHOTO_DURATION), "p95", exemplars=True),
        Ask(ASK.quantile(0.50, catalog.FOOD_PHOTO_DURATION), "p50"), look=Look("s", dashed="/p50$/"),
    )),
))  # fmt: skip

BOARD = Board(
    "ai_dashboard", "AI", "How fast the AI answers, what it costs, and how the services behind it do.",
    (HEALTH, SPEED, SPENDING, CAUSES),
    (
        environment(), instance(), recorded(),
        label_variable("model", "Model", f"label_values({ASK.series(TOKEN_COUNT)}, model)"),
    ),
)  # fmt: skip
