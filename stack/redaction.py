"""What the Collector lets through, written into collector/config.yaml from the SDK's own allow-list and patterns.

The Collector cannot tell the program's words from a user's, so it is stricter with texts than the SDK: of an exception
it keeps the type, and the stack only in the form in which the SDK leaves it. It cannot reach the attributes of links.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/processor/redactionprocessor
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/pkg/ottl
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from telemetry._secret_patterns import PATTERNS
from telemetry.allowed import ATTRIBUTES, EVENTS, METHODS, NUMBERS, RESOURCE, TAG, WORDS_OF_PATHS
from telemetry.catalog import CATALOG
from telemetry.redaction import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["drift", "write"]

_CONFIG = "collector/config.yaml"
_BEGIN, _END = "  # Written by `make catalog` from here ...\n", "  # ... to here.\n"
_MORE = "${env:COLLECTOR_ALLOWED_ATTRIBUTES:-service.name}"
_MESSAGES = "${env:COLLECTOR_EXCEPTION_MESSAGES:-false}"
_QUERY_KEYS = "${env:COLLECTOR_URL_QUERY_KEYS:-none-is-kept}"
_KEY = "${env:COLLECTOR_LABEL_KEY:-a-key-that-everybody-knows-until-it-is-set}"
_OF_THE_COLLECTOR = """
component data_type error.permanent error_permanent error_type exporter extension http.request.method
http.response.status_code http.route http.status_code net.host.name net.peer.name network.protocol.name
network.protocol.version otel_scope_name otel_scope_version otelcol.component.id otelcol.component.kind
otelcol.pipeline.id otelcol.signal outcome pipeline processor receiver rpc.grpc.status_code rpc.method
rpc.response.status_code rpc.service rpc.system rpc.system.name server.address server.port span.kind span.name
status.code status_code transport url.scheme
"""
"""Labels of the Collector's own metrics, and of those that gateways make of cleaned spans: all in the same pipeline."""
_LONGEST_NAME, _LONGEST_TEXT, _LONGEST_STACK = 128, 4096, 32768
"""Characters that leave, or are looked at: to clean a megabyte takes more than a second."""
_SAID = r"^(?:\w+[.])*[A-Z]\w{0,63}$|^\d{3}$"
"""A status that is the name of a class, or a number."""
_STACK = r'^(?:Traceback \(most recent call last\):\n|  File "[^"\n]{1,500}", line \d+, in [\w.<>]+\n    [^\n]*\n|\n)*$'


def write(root: Path) -> None:
    """Write what the Collector lets through between the two marks of its configuration."""
    path = root / _CONFIG
    path.write_text(_written(path), encoding="utf-8")


def drift(root: Path) -> list[str]:
    """Name the configuration if it is not what `write` would write."""
    path = root / _CONFIG
    return [] if path.read_text(encoding="utf-8") == _written(path) else [f"{_CONFIG} is not up to date: make catalog."]


def _written(path: Path) -> str:
    head, begin, rest = path.read_text(encoding="utf-8").partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{_CONFIG} must have the lines {_BEGIN.strip()!r} and {_END.strip()!r} (got neither or one).")
    return head + begin + "".join(f"{line}\n" for line in _processors()) + end + tail


def _processors() -> Iterator[str]:
    yield "  # Keys by allow-list, texts by their form. What fails here is refused, not let through."
    yield "  transform/allowed:"
    yield "    error_mode: propagate"
    yield "    trace_statements:"
    yield from _group("resource", _of_resources())
    yield from _group("scope", _of_scopes())
    yield from _group("span", _of_spans())
    yield from _group("spanevent", _of_events())
    yield "    metric_statements:"
    yield from _group("resource", _of_resources())
    yield from _group("scope", _of_scopes())
    yield from _group("exemplar", ["keep_keys(exemplar.filtered_attributes, [])"])
    yield "  # A label that is not known keeps its series apart as a keyed hash: to drop it would merge them."
    yield "  redaction/labels:"
    yield "    allow_all_keys: true"
    yield f"    ignored_key_patterns: [{_scalar(_any_of(_labels(), _MORE))}]"
    yield "    blocked_key_patterns: ['.+']"
    yield "    hash_function: hmac-sha256"
    yield f"    hmac_key: {_KEY}"
    yield "    redact_all_types: true"
    yield "    summary: silent"
    yield "  redaction/secrets:"
    yield "    allow_all_keys: true"
    yield "    redact_all_types: true                  # else lists of texts pass as they are"
    yield "    summary: silent                         # anything else adds attributes that become labels"
    yield "    blocked_values:"
    for name, pattern in PATTERNS.items():
        yield f"      # {name}"
        yield f"      - {_scalar(pattern)}"


def _group(context: str, statements: Iterable[str]) -> Iterator[str]:
    """Statements of one context: left to itself, the processor runs all of a list in the lowest context of any."""
    yield f"      - context: {context}"
    yield "        statements:"
    yield from (f"          - {_scalar(statement)}" for statement in statements)


def _of_resources() -> Iterator[str]:
    yield f"keep_matching_keys(resource.attributes, {_literal(_any_of(RESOURCE, _MORE))})"


def _of_scopes() -> Iterator[str]:
    yield "keep_keys(scope.attributes, [])"


def _of_spans() -> Iterator[str]:
    method = 'span.attributes["http.request.method"]'
    yield f"keep_matching_keys(span.attributes, {_keys()})"
    yield f"truncate_all(span.attributes, {_LONGEST_TEXT})"
    yield _cut("span.name", _LONGEST_TEXT)
    yield _cut("span.status.message", _LONGEST_TEXT)
    yield f'set({method}, "_OTHER") where {method} != nil and not IsMatch({method}, {_literal(_any_of(METHODS))})'
    yield 'set(span.trace_state, "")'
    yield from _of_addresses('span.attributes["url.full"]')
    yield from _of_names(method, 'span.attributes["http.route"]')
    yield 'replace_pattern(span.status.message, "(?s):.*$", "")'
    said = _literal(_SAID)
    yield f'set(span.status.message, "") where not IsMatch(span.status.message, {said})'


def _of_names(method: str, route: str) -> Iterator[str]:
    """Take from a span's name each path but its route's, and each secret."""
    path = 'IsMatch(span.name, "/")'
    ours = f'({route} != nil and span.name == Concat([{method}, {route}], " "))'
    socket = f'({route} != nil and span.name == Concat(["websocket", {route}], " "))'
    yield f'replace_pattern(span.name, "^[^ ]*", "_OTHER") where {method} == "_OTHER"'
    yield f"set(span.name, {method}) where {method} != nil and {path} and not {ours}"
    yield f'replace_pattern(span.name, "(^|[ ])[^ ]*/.*$", "") where {method} == nil and {path} and not {socket}'
    yield from (f"replace_pattern(span.name, {_literal(pattern)}, {_literal(MARKER)})" for pattern in PATTERNS.values())
    yield _cut("span.name", _LONGEST_NAME)
    yield f'set(span.name, {_literal(MARKER)}) where span.name == ""'


def _cut(path: str, longest: int) -> str:
    return f"set({path}, Substring({path}, 0, {longest})) where Len({path}) > {longest}"


def _of_events() -> Iterator[str]:
    message, stack = 'spanevent.attributes["exception.message"]', 'spanevent.attributes["exception.stacktrace"]'
    unless = f'"{_MESSAGES}" != "true"'
    yield f"keep_matching_keys(spanevent.attributes, {_keys()})"
    yield f"truncate_all(spanevent.attributes, {_LONGEST_STACK})"
    yield f"set(spanevent.name, {_literal(MARKER)}) where not IsMatch(spanevent.name, {_literal(_any_of(EVENTS))})"
    yield f"set({message}, {_literal(MARKER)}) where {message} != nil and {unless}"
    form = _literal(_STACK)
    yield f"set({stack}, {_literal(MARKER)}) where {stack} != nil and {unless} and not IsMatch({stack}, {form})"


def _of_addresses(address: str) -> Iterator[str]:
    """Keep the path of an address as the SDK writes it, of others the host."""
    words = "|".join(sorted(WORDS_OF_PATHS))
    clean = rf"^https?://[^/?#@]+(?:/(?:{words}|[*])?)*(?:[?](?:(?:{_QUERY_KEYS})=[^&#]*&?)*)?$"
    host = _literal(r"^(\w+://)(?:[^/?#@]*@)?([^/?#@]*).*$")
    unless = f"{address} != nil and not IsMatch({address}, {_literal(clean)})"
    yield f'replace_pattern({address}, {host}, "$1$2") where {unless}'


def _labels() -> set[str]:
    labels = {label.name for metric in CATALOG.values() for label in metric.labels}
    return labels | set(_OF_THE_COLLECTOR.split()) | RESOURCE


def _keys() -> str:
    beginnings = [f"{_escaped(beginning)}.*" for beginning in (*NUMBERS, TAG)]
    exact = "|".join(_escaped(key) for key in sorted(ATTRIBUTES))
    return _literal(f"^(?:{exact}|{'|'.join(beginnings)}|{_MORE})$")


def _any_of(names: Iterable[str], *more: str) -> str:
    return f"^(?:{'|'.join([*(_escaped(name) for name in sorted(names)), *more])})$"


def _literal(text: str) -> str:
    """Write a text as OTTL does, which is as JSON does."""
    return json.dumps(text)


def _scalar(text: str) -> str:
    """Write a text for YAML, and a dollar that begins no variable twice: the Collector expands what follows one."""
    doubled = re.sub(r"\$(?!\{env:)", "$$", text)
    return "'" + doubled.replace("'", "''") + "'"


def _escaped(name: str) -> str:
    """Write a name as an expression for itself; names hold letters, digits, `_`, `-` and dots."""
    return name.replace(".", "[.]")
