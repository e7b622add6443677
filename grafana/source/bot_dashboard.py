"""The Telegram bot: what users send, how it is answered, what goes wrong."""

from __future__ import annotations

from grafana.source import queries
from grafana.source.board import Board, Row, environment, instance, recorded
from grafana.source.links import to_dashboard, to_runbook
from grafana.source.panels import About, Ask, Look, bars, columns, lines, pie, stat
from grafana.source.processes import processes
from grafana.source.promql import Queries
from grafana.source.style import FEEDBACK, OUTCOMES, Limits
from telemetry import catalog

__all__ = ["BOARD"]

ASK = Queries()
MESSAGES, CONVERSATION = catalog.TELEGRAM_MESSAGES, to_dashboard("conversation_dashboard", "One conversation")
SLOW = (to_runbook("High latency"), CONVERSATION)
FAILED = (to_runbook("High error rate"), CONVERSATION)

HEALTH = Row("Is it well?", 4, (
    (6, stat(
        About("Messages that fail", "Of 100 messages, how many the bot could not answer in the time range. Below 1 is "
              "normal.", "No messages", FAILED),
        Ask(queries.bot_failed(), instant=True), look=Look("percentunit", 1, Limits(0.01, 0.05)),
    )),
    (6, stat(
        About("Slow answers", "95 of 100 messages were answered within this time. Above 10 seconds people give up.",
              "No messages", SLOW),
        Ask(ASK.whole.quantile(0.95, catalog.TELEGRAM_MESSAGE_DURATION), instant=True),
        look=Look("s", 1, Limits(5, 10)),
    )),
    (6, stat(
        About("Longest work now", "How long the oldest message, job or AI answer has been worked on. Minutes mean "
              "that it is stuck.", "Nothing runs", SLOW),
        Ask(ASK.now(catalog.WORK_OLDEST_AGE, "max")), look=Look("s", 0, Limits(60, 300)),
    )),
    (6, stat(
        About("Feedback", "Thumbs up and down that users gave in the time range.", "None given", (CONVERSATION,)),
        Ask(ASK.total(catalog.TELEGRAM_FEEDBACK, "rating"), "{{rating}}", instant=True),
        look=Look(decimals=0, colours=FEEDBACK),
    )),
))  # fmt: skip

TRAFFIC = Row("What users send", 8, (
    (12, lines(
        About("Messages per Minute", "Messages the bot has handled a minute, by kind.", "No messages."),
        Ask(ASK.per_minute(MESSAGES, "message_type"), "{{message_type}}"), look=Look("suffix:/min", stacked=True),
    )),
    (6, pie(
        About("Message Type Distribution (text/photo/voice)", "What kind of messages came in the time range.", "No "
              "messages."),
        Ask(f'{ASK.total(MESSAGES, "message_type")} > 0', "{{message_type}}"), look=Look(decimals=0),
    )),
    (6, bars(
        About("Top Commands Used", "The ten commands that were sent most in the time range.", "No command was sent."),
        "command", Ask(f'topk(10, {ASK.total(catalog.TELEGRAM_COMMANDS, "command")} > 0)', "sent"),
        look=Look(decimals=0),
    )),
    (8, columns(
        About("User Engagement (messages per user)", "How many messages a user writes in an hour in which they write: "
              "the columns count such hours, by the number of messages up to the figure below.",
              "No hour of a user has ended in this time range."),
        Ask(ASK.total(catalog.TELEGRAM_MESSAGES_PER_USER, "le", suffix="_bucket")),
        look=Look(decimals=0),
    )),
    (16, lines(
        About("Scheduled jobs", "Runs of jobs such as reminders a minute, by how they ended.", "No job ran.", FAILED),
        Ask(ASK.per_minute(catalog.TELEGRAM_JOBS, "job_name, status"), "{{job_name}} {{status}}"),
        look=Look("suffix:/min"),
    )),
))  # fmt: skip

SYMPTOMS = Row("How it is answered", 8, (
    (12, lines(
        About("Response Time by Message Type", "How long the bot takes for each kind of message. Solid: 95 of 100 are "
              "faster; dashed: half are. The dots are single messages: click one to see what it did.",
              "No messages.", SLOW),
        Ask(ASK.quantile(0.95, catalog.TELEGRAM_MESSAGE_DURATION, "message_type"), "{{message_type}} p95",
        exemplars=True),
        Ask(ASK.quantile(0.50, catalog.TELEGRAM_MESSAGE_DURATION, "message_type"), "{{message_type}} p50"),
        look=Look("s", dashed="/p50$/"),
    )),
    (12, lines(
        About("Error Rate by Handler", "Errors a minute by the part of the bot that failed.", "No handler failed.",
              FAILED),
        Ask(ASK.per_minute(catalog.TELEGRAM_HANDLER_ERRORS, "handler"), "{{handler}}"), look=Look("suffix:/min"),
    )),
))  # fmt: skip

CAUSES = Row("Where it comes from", 8, (
    (8, lines(
        About("Calls to Telegram", "Calls of Telegram's own interface a minute, by how they ended.", "Nothing was "
              "sent.",
              (to_runbook("Telegram does not answer"),)),
        Ask(ASK.per_minute(catalog.TELEGRAM_API_CALLS, "status"), "{{status}}"),
        look=Look("suffix:/min", colours=OUTCOMES),
    )),
    (8, lines(
        About("How fast Telegram answers (p95)", "95 of 100 calls were faster, by kind of call.", "Nothing was sent.",
              (to_runbook("Telegram does not answer"),)),
        Ask(ASK.quantile(0.95, catalog.TELEGRAM_API_DURATION, "method"), "{{method}}", exemplars=True), look=Look("s"),
    )),
    (8, lines(
        About("Telegram refuses or fails", "Calls refused because there were too many, and failed attempts to fetch "
              "messages, a minute. The bot tries again by itself; for minutes on end it is a fault.",
              "Telegram refused nothing.", (to_runbook("Telegram does not answer"),)),
        Ask(ASK.per_minute(catalog.TELEGRAM_FLOOD_CONTROL, "method"), "too many: {{method}}"),
        Ask(ASK.per_minute(catalog.TELEGRAM_POLLING_ERRORS, "error_type"), "fetching: {{error_type}}"),
        look=Look("suffix:/min"),
    )),
    (8, lines(
        About("Work in progress", "Messages, jobs and AI answers that are being worked on, and calls that wait for "
              "Telegram.",
              "Nothing runs.", SLOW),
        Ask(ASK.now(catalog.WORK_IN_FLIGHT, by="kind"), "{{kind}}"),
        Ask(ASK.now(catalog.TELEGRAM_API_IN_FLIGHT), "call to Telegram"), look=Look(decimals=0),
    )),
    (8, lines(
        About("Longest work in progress", "How long the oldest item has been worked on, by name. A line that climbs "
              "for minutes is stuck.", "Nothing runs.", SLOW),
        Ask(ASK.now(catalog.WORK_OLDEST_AGE, "max", "kind, name"), "{{kind}} {{name}}"), look=Look("s"),
    )),
    (8, lines(
        About("Is something blocking the bot?", "How late the bot comes to its next task (99 of 100 are faster). "
              "Above half a second one task holds up all users.", "No process reports.", SLOW),
        Ask(ASK.quantile(0.99, catalog.EVENT_LOOP_LAG, "instance"), "{{instance}}"),
        look=Look("s", limits=Limits(0.25, 0.5)),
    )),
    *processes(),
))  # fmt: skip

BOARD = Board(
    "bot_dashboard", "Telegram bot", "What users send to the bot, how it is answered, and what goes wrong.",
    (HEALTH, SYMPTOMS, TRAFFIC, CAUSES), (environment(), instance(), recorded()),
)  # fmt: skip
