"""What may leave the process, decided in one place: keys by allow-list, values by what secrets look like.

An attribute leaves if its key is in `telemetry.allowed` or in `TELEMETRY_ALLOWED_ATTRIBUTES`; its value without bot
tokens, API keys, credentials, e-mail addresses, telephone numbers. The marker is fixed and says nothing about what it
replaced. Cleaning never changes its input.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from telemetry._secret_patterns import PATTERNS
from telemetry.allowed import ATTRIBUTES, METHODS, NUMBERS, RESOURCE, TAG, WORDS_OF_PATHS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "MARKER",
    "OTHER_METHOD",
    "TEXT_LENGTH",
    "clean_attributes",
    "clean_resource",
    "clean_text",
    "clean_url",
    "http_method",
    "own_keys",
]

MARKER = "[redacted]"
OTHER_METHOD = "_OTHER"
"""What the conventions call a method that is none of HTTP's."""

TEXT_LENGTH = 16_384
"""Characters of a text in a span that are held: a long stack trace is whole, 20 MB cost no other span of a batch."""
_LONGEST, _LOOKED_AT, _LONGEST_SECRET = 1024, 4096, 512
"""Characters of a value that leave, that are looked at, and at whose end a secret may have been cut in two."""
_SECRETS = re.compile("|".join(PATTERNS.values()))
_OF_LETTERS_ALONE = re.compile("A[KS]IA|AIza")
"""What stands in secrets that hold no other sign than letters and digits; ids do as well, and are many."""
_NAME = re.compile(r"[\w.<>:-]{1,200}")
_KEY = re.compile(r"[A-Za-z][\w.-]{0,100}")

_clean_already: set[str] = set()
_CLEAN_ALREADY_MOST, _CLEAN_ALREADY_LONGEST = 4096, 100
_told: set[str] = set()
_TOLD_MOST = 50
_logger = logging.getLogger("telemetry")


def clean_text(text: str) -> str:
    """Replace each secret in a text by the marker, and cut what is longer than 1024 characters."""
    if text in _clean_already:
        return text
    if len(text) > _LOOKED_AT:
        return _SECRETS.sub(MARKER, text[:_LOOKED_AT])[:-_LONGEST_SECRET][:_LONGEST]
    found = text if text.isalnum() and not _OF_LETTERS_ALONE.search(text) else _SECRETS.sub(MARKER, text)
    if found == text and len(text) <= _CLEAN_ALREADY_LONGEST:
        if len(_clean_already) >= _CLEAN_ALREADY_MOST:
            _clean_already.clear()
        _clean_already.add(text)
    return found if len(found) <= _LONGEST else found[:_LONGEST]


def clean_url(url: str) -> str:
    """Return an address without user and fragment, of its path and query only the words that are known.

    Other segments of the path become `*`; of the query stay the keys in `TELEMETRY_URL_QUERY_KEYS`. What is no address
    is the marker.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return MARKER
    host = parts.netloc.rpartition("@")[2]
    segments = (word if word in WORDS_OF_PATHS or not word else "*" for word in parts.path.split("/"))
    return clean_text(urlunsplit((parts.scheme, host, "/".join(segments), _allowed_query(parts.query), "")))


def _allowed_query(query: str) -> str:
    from telemetry._runtime import current  # noqa: PLC0415 - which needs this module

    allowed = current().settings.url_query_keys
    pairs = parse_qsl(query, keep_blank_values=True) if allowed and query else ()
    return urlencode([(key, clean_text(value)) for key, value in pairs if key in allowed], safe="[]")


def http_method(method: str) -> str:
    """Return a method of HTTP as it is, and any other word as `_OTHER`."""
    return method if method.upper() in METHODS else OTHER_METHOD


def _clean_name(name: str) -> str:
    """Return the name of a class or a code, and nothing that could be a sentence."""
    return clean_text(name) if _NAME.fullmatch(name) else MARKER


_BY_KEY: dict[str, Callable[[str], str]] = {
    "url.full": clean_url,
    "http.request.method": http_method,
    "error.type": _clean_name,
    "exception.type": _clean_name,
}


def own_keys() -> frozenset[str]:
    """Return the keys that the application lets leave beside ours."""
    from telemetry._runtime import current  # noqa: PLC0415 - which needs this module

    return current().settings.allowed_attributes


def clean_attributes(attributes: Mapping[str, Any] | None, own: frozenset[str] | None = None) -> dict[str, Any]:
    """Return the attributes that may leave, cleaned; `own` are the application's keys where they are at hand."""
    own = own_keys() if own is None else own
    kept: dict[str, Any] = {}
    for key, value in (attributes or {}).items():
        if key in ATTRIBUTES or key in own or _is_tag_or_number(key, value):
            is_clean = type(value) is int or (type(value) is str and value in _clean_already and key not in _BY_KEY)
            kept[key] = value if is_clean else _clean_value(key, value)
        elif key not in _told:
            _tell(key)
    return kept


def _is_tag_or_number(key: str, value: object) -> bool:
    return key.startswith(TAG) or (isinstance(value, int | float) and key.startswith(NUMBERS))


def clean_resource(attributes: Mapping[str, Any], own: frozenset[str] | None = None) -> dict[str, Any]:
    """Return the attributes of a resource that may leave, cleaned."""
    own = own_keys() if own is None else own
    return {key: _clean_value(key, value) for key, value in attributes.items() if key in RESOURCE or key in own}


def _clean_value(key: str, value: Any) -> Any:  # noqa: ANN401 - any attribute's
    if isinstance(value, str):
        return _BY_KEY.get(key, clean_text)(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return _clean_items(value) if isinstance(value, list | tuple) else MARKER


def _clean_items(values: Iterable[Any]) -> list[Any]:
    return [clean_text(value) if isinstance(value, str) else value for value in values if _is_simple(value)]


def _is_simple(value: object) -> bool:
    return isinstance(value, str | bool | int | float)


def _tell(key: str) -> None:
    """Say once of each key that it stays here, to a developer: a key could itself be what a user wrote."""
    from telemetry._runtime import current  # noqa: PLC0415 - which needs this module

    if len(_told) >= _TOLD_MOST or not _KEY.fullmatch(key):
        return
    _told.add(key)
    if current().settings.is_development:
        _logger.info("Attributes named %s stay in the process: TELEMETRY_ALLOWED_ATTRIBUTES lets them leave.", key)
