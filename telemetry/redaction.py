"""What must not leave the process, decided in one place.

Values are cleaned by pattern, wherever they stand: bot tokens, API keys, bearer tokens, e-mail addresses. The marker is
fixed and says nothing about what it replaced. Cleaning never changes its input; what is clean is returned as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MARKER", "TEXT_LENGTH", "clean", "clean_span", "clean_text", "clean_url"]

MARKER = "[redacted]"

TEXT_LENGTH = 16_384
"""Characters of a text in a span: a long stack trace is whole, and one of 20 MB costs no other span of its batch."""

_SECRETS = re.compile(
    r"""
      (?<!\d)\d{6,12}(?::|%3[Aa])[A-Za-z0-9_-]{30,}  # a Telegram bot token: /bot123:..., /bot123%3A..., or alone
    | \bsk-[A-Za-z0-9_-]{16,}                   # OpenAI's and Anthropic's keys
    | (?i:\bbearer\s+)[A-Za-z0-9._~+/-]{8,}=*   # an Authorization header's value
    | \b[\w.+-]+@[\w-]+\.[\w.-]*\w              # an e-mail address
    """,
    re.VERBOSE,
)
_SENSITIVE_KEY = re.compile(r"password|passwd|secret|token$|api_?key|authorization|cookie|^dsn$")

_URL_KEYS = frozenset({"url.full", "http.url", "http.target"})
_QUERY_KEYS = frozenset({"url.query", "url.fragment", "query_string"})


def clean_text(text: str) -> str:
    """Replace each secret in a text by the marker."""
    return _SECRETS.sub(MARKER, text)


def clean_url(url: str) -> str:
    """Return an address without user and fragment, of its query only the keys in `TELEMETRY_URL_QUERY_KEYS`."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return clean_text(urlunsplit((parts.scheme, host, parts.path, _allowed_query(parts.query), "")))


def _allowed_query(query: str) -> str:
    from telemetry._runtime import current  # noqa: PLC0415 - which needs this module

    allowed = current().settings.url_query_keys
    pairs = parse_qsl(query, keep_blank_values=True) if allowed and query else ()
    return urlencode([(key, _clean_item(key, value)) for key, value in pairs if key in allowed], safe="[]")


def clean(value: Any) -> Any:  # noqa: ANN401 - any JSON-like value in, the same shape out
    """Clean a nested value: secrets in every text, and the whole value of a key that names a secret."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {key: _clean_item(key, found) for key, found in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, tuple):
        return tuple(clean(item) for item in value)
    return value


def clean_span(span: ReadableSpan) -> ReadableSpan:
    """Return the span as it may be exported: name, attributes, events and status message cleaned."""
    # The SDK limits attributes only: an exception may carry a prompt of 20 MB in its message, and so in the status.
    name, attributes = clean_text(span.name[:TEXT_LENGTH]), _clean_attributes(span.attributes)
    events = [_clean_event(event) for event in span.events]
    description = (span.status.description or "")[:TEXT_LENGTH]
    if name == span.name and attributes is span.attributes and events == list(span.events) and not description:
        return span
    return ReadableSpan(
        name=name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=attributes,
        events=events,
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code, clean_text(description) if description else None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _clean_event(event: Event) -> Event:
    attributes = _clean_attributes(event.attributes)
    return event if attributes is event.attributes else Event(event.name, attributes, event.timestamp)


def _clean_attributes(attributes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if not attributes:
        return attributes
    cleaned = clean(dict(attributes))
    return attributes if cleaned == dict(attributes) else cleaned


def _clean_item(key: object, value: object) -> object:
    if not isinstance(value, str):
        return clean(value)
    if key in _URL_KEYS:
        return clean_url(value)
    return MARKER if _names_secret(key) or key in _QUERY_KEYS else clean_text(value)


def _names_secret(key: object) -> bool:
    return isinstance(key, str) and _SENSITIVE_KEY.search(key.lower().replace("-", "_")) is not None
