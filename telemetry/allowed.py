"""The allow-list: which attributes may leave the process, and in which form. What is not here does not leave.

It holds for spans, their events, resources and what Sentry gets. The Collector's list is written from this one
(`make catalog`). An application adds keys of its own by `TELEMETRY_ALLOWED_ATTRIBUTES`.

The names are those of the stable semantic conventions, of pydantic-ai and of the plan.
https://opentelemetry.io/docs/specs/semconv/registry/attributes/
"""

from __future__ import annotations

__all__ = ["ATTRIBUTES", "EVENTS", "METHODS", "NUMBERS", "RESOURCE", "TAG", "WORDS_OF_PATHS"]

_HTTP = """
http.request.method http.request.resend_count http.response.status_code http.route network.protocol.version
peer.service server.address server.port url.full url.scheme
"""
_DATABASE = "db.collection.name db.namespace db.operation.name db.query.summary db.system.name"
_MESSAGES = """
messaging.message.id messaging.operation.type messaging.system telegram.api.method telegram.message_type feedback.rating
"""
_AGENT = """
agent_name anthropic.message.stop_reason anthropic.request.id gen_ai.agent.call.id gen_ai.agent.name
gen_ai.conversation.id gen_ai.operation.name gen_ai.provider.name gen_ai.request.max_tokens gen_ai.request.model
gen_ai.request.temperature gen_ai.request.top_p gen_ai.response.finish_reasons gen_ai.response.id gen_ai.response.model
gen_ai.system gen_ai.tool.call.id gen_ai.tool.name model_name operation.cost pydantic_ai.new_message_index
"""
_OURS = """
completion_tokens confidence delay_seconds food_count model photo_size prompt_tokens sampling.reason sentry.event_id
sentry.suppressed size text_length user.id work.kind work.name
"""
_ERRORS = "error.type exception.escaped exception.message exception.stacktrace exception.type"
_SENTRY = "code.function.name otel.kind span.kind thread.id"

ATTRIBUTES: frozenset[str] = frozenset(f"{_HTTP} {_DATABASE} {_MESSAGES} {_AGENT} {_OURS} {_ERRORS} {_SENTRY}".split())
"""Keys of spans, events and breadcrumbs whose values leave, cleaned."""

NUMBERS: tuple[str, ...] = ("gen_ai.aggregated_usage.", "gen_ai.usage.", "pydantic_ai.cache.")
"""Keys that begin so leave where their value is a number: libraries add one for each kind of token."""

TAG = "tag."
"""Keys of what the application says by `set_tag`."""

_RESOURCE = """
cloud.availability_zone cloud.provider cloud.region container.id deployment.environment.name k8s.cluster.name
k8s.deployment.name k8s.namespace.name k8s.node.name k8s.pod.name k8s.pod.uid os.type os.version process.pid
process.runtime.description process.runtime.name process.runtime.version service.instance.id service.name
service.namespace service.version telemetry.auto.version telemetry.sdk.language telemetry.sdk.name telemetry.sdk.version
"""
RESOURCE: frozenset[str] = frozenset(_RESOURCE.split())
"""Keys of the resource, beside those that `OTEL_RESOURCE_ATTRIBUTES` names; the host's name is often its owner's."""

EVENTS: frozenset[str] = frozenset({"exception"})
"""Names of span events; others become the marker."""

METHODS: frozenset[str] = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)
"""HTTP's methods; a client may send any word instead."""

_WORDS = """
audio batches chat completions count_tokens embeddings fdc food foods images list messages models responses search
speech transcriptions translations v1 v2 v3
"""
WORDS_OF_PATHS: frozenset[str] = frozenset(_WORDS.split())
"""Segments of an address's path that leave; every other one becomes `*`, for it may hold what a user wrote."""
