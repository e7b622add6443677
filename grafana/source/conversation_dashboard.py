"""One conversation: its turns, what the AI did in each, what failed, what the user thought of it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, MatcherConfig

from grafana.source.board import Board, Row, label_variable, text_variable
from grafana.source.links import to_runbook
from grafana.source.panels import AS_IT_COMES, About, override, table, text
from grafana.source.traces import JaegerSearch, traceql

__all__ = ["BOARD"]

CHAT = "gen_ai.conversation.id"
OF_CHAT = f'span.{CHAT} = "$conversation"'
USAGE = ("span.gen_ai.aggregated_usage.input_tokens", "span.gen_ai.aggregated_usage.output_tokens", "span.model_name")
CHOSEN = "Nothing: is a conversation's id in the field above?"
NO_TEMPO = "Nothing here. Without Tempo (the stack without Docker), use the tables from Jaeger below."

LATEST = table(
    About("The latest turns of all conversations", "Click a conversation's id to see all of it here, a span's id to "
          "see everything that happened in that turn. The id is a hash: it tells nobody who writes.", NO_TEMPO),
    traceql(f"{{ nestedSetParent < 0 && span.{CHAT} != nil }} | select(span.{CHAT}, span.telegram.message_type)"),
    look=AS_IT_COMES,
)  # fmt: skip
override(LATEST, MatcherConfig("byName", CHAT), [DynamicConfigValue("links", [{
    "title": "Show this conversation",
    "url": "/d/conversation_dashboard?var-conversation=${__value.raw}&${__url_time_range}",
}])])  # fmt: skip

CHOICE = Row("Which conversation?", 9, (
    (6, text(
        About("", "How to choose a conversation."),
        "Choose a conversation on the right, or paste its id into the field **Conversation** above: it stands as "
        f"`{CHAT}` on every span of a trace, in Sentry's trace, and in the links of alerts.\n\nEverything below is "
        "about "
        "that conversation, within the time range.",
    )),
    (18, LATEST),
))  # fmt: skip

TURNS = Row("Its turns", 9, (
    (12, table(
        About("Turns", "Each message of the conversation and how long its answer took. Click a span's id to see what "
              "happened.", CHOSEN),
        traceql(f"{{ nestedSetParent < 0 && {OF_CHAT} }} | select(span.telegram.message_type)"),
        look=AS_IT_COMES,
    )),
    (12, table(
        About("What the AI did", "Each answer of the AI, its model, and the tokens it read and wrote.", CHOSEN),
        traceql(f'{{ {OF_CHAT} && span.gen_ai.operation.name = "invoke_agent" }} | select({", ".join(USAGE)})'),
        look=AS_IT_COMES,
    )),
    (12, table(
        About("What failed", "Each step that failed, with the id of its event in Sentry. In the trace, the failed "
              "step has a link to it.", "Nothing failed in this conversation.", (to_runbook("High error rate"),)),
        traceql(f"{{ {OF_CHAT} && status = error }} | select(statusMessage, span.error.type, span.sentry.event_id)"),
        look=AS_IT_COMES,
    )),
    (12, table(
        About("What the user thought", "Thumbs up or down. Each has a link to the answer it judges.",
              "The user pressed no button."),
        traceql(f'{{ {OF_CHAT} && name = "feedback" }} | select(span.feedback.rating)'),
        look=AS_IT_COMES,
    )),
))  # fmt: skip

WITHOUT_TEMPO = Row("The same, from Jaeger", 9, (
    (8, table(
        About("The latest turns (Jaeger)", "Click a trace's id; its spans carry the conversation's id.", "No message."),
        JaegerSearch("$service", "", operation="telegram.update"),
        look=AS_IT_COMES,
    )),
    (8, table(
        About("Turns (Jaeger)", "Each message of the conversation. Click a trace's id to see what happened.", CHOSEN),
        JaegerSearch("$service", f"{CHAT}=$conversation"),
        look=AS_IT_COMES,
    )),
    (8, table(
        About("Turns that failed (Jaeger)", "Messages of the conversation in which a step failed.",
              "Nothing failed in this conversation.", (to_runbook("High error rate"),)),
        JaegerSearch("$service", f"{CHAT}=$conversation error=true"),
        look=AS_IT_COMES,
    )),
))  # fmt: skip

BOARD = Board(
    "conversation_dashboard", "Conversation", "What happened in one conversation, turn by turn.",
    (CHOICE, TURNS, WITHOUT_TEMPO),
    (
        text_variable("conversation", "Conversation"),
        label_variable("service", "Service", 'label_values(target_info{deployment_environment_name!=""}, '
        'job)', every=False),
    ),
    refresh="", annotated=False,
)  # fmt: skip
