"""Spans as they may be exported: names, attributes, events, links, status, scope, each by its own rule.

A name keeps no path but its route's. A status says an error's type or nothing. An exception's event keeps type and
stack; of its message, what `telemetry._own_texts` knows as the program's own. The rules are functions of plain values,
whatever class a span is of; that of attributes is `telemetry.redaction.clean_attributes`.
"""

# ruff: noqa: SLF001 - fields are read where `ReadableSpan` keeps them: a property is a call, two of them make copies

from __future__ import annotations

import linecache
import re
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status

from telemetry._own_texts import is_own
from telemetry._runtime import current
from telemetry.allowed import EVENTS
from telemetry.redaction import MARKER, OTHER_METHOD, clean_attributes, clean_text, own_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["clean_event", "clean_name", "clean_spans", "clean_status"]

_LONGEST_NAME = 128
_MESSAGE, _STACKTRACE = "exception.message", "exception.stacktrace"
_STACK = re.compile(r'^  File "([^"\n]{1,500})", line (\d{1,7}), in ([\w.<>]{1,100})$|^Traceback .*$', re.MULTILINE)
_NEXT = "\nTraceback (most recent call last):\n"
_ANSWER = re.compile(r"\d{3}")
_REBUILD_SECONDS = 10.0


def clean_spans(spans: Sequence[ReadableSpan]) -> list[ReadableSpan]:
    """Return the spans as they may be exported."""
    own, messages = own_keys(), current().settings.exception_messages_leave
    return [_clean(span, own, messages=messages) for span in spans]


def _clean(span: ReadableSpan, own: frozenset[str], *, messages: bool) -> ReadableSpan:
    attributes, status = clean_attributes(span._attributes, own), span._status
    return ReadableSpan(
        name=clean_name(span._name, attributes),
        context=_stateless(span.context),
        parent=span._parent,
        resource=span._resource,
        attributes=attributes,
        events=[_event(event, own, messages=messages) for event in span._events] if span._events else (),
        links=[Link(_stateless(link.context)) for link in span._links] if span._links else (),
        kind=span._kind,
        status=Status(status.status_code, clean_status(status.description)) if status.description else status,
        start_time=span._start_time,
        end_time=span._end_time,
        instrumentation_scope=_scope(span._instrumentation_scope),
    )


def _event(event: Event, own: frozenset[str], *, messages: bool) -> Event:
    name, attributes = clean_event(event.name, event.attributes or {}, own, messages=messages)
    return Event(name, attributes, event.timestamp)


def _stateless(context: SpanContext) -> SpanContext:
    """Return a context without its trace state, which is a caller's to write."""
    if not context.trace_state:
        return context
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)


def _scope(scope: InstrumentationScope | None) -> InstrumentationScope | None:
    if scope is None or not scope.attributes:
        return scope
    return InstrumentationScope(scope.name, scope.version, scope.schema_url)


def clean_name(name: str, attributes: Mapping[str, Any]) -> str:
    """Return a span's name without a path but its route, and without secrets; `attributes` are clean already."""
    route = attributes.get("http.route")
    if attributes.get("http.request.method") == OTHER_METHOD:  # then the name begins with the word that it was
        _, space, rest = name.partition(" ")
        name = f"{OTHER_METHOD}{space}{rest}"
    if "/" in name and not (route and route in name):
        name = name.partition("/")[0].partition(" ")[0].rstrip(":") or MARKER
    return clean_text(name)[:_LONGEST_NAME]


def clean_status(description: str | None) -> str | None:
    """Return what a status says if that is an error's type or an answer's number, with nothing behind it."""
    said = (description or "").partition(":")[0]
    return said if _ANSWER.fullmatch(said) or _is_error_type(said) else None


def clean_event(
    name: str, attributes: Mapping[str, Any], own: frozenset[str], *, messages: bool
) -> tuple[str, dict[str, Any]]:
    """Return name and attributes of an event; with `messages` what an exception says leaves whoever wrote it."""
    kept = clean_attributes(attributes, own)
    if _MESSAGE in kept and not (messages or is_own(str(attributes[_MESSAGE]))):
        kept[_MESSAGE] = MARKER
    if _STACKTRACE in kept:
        kept[_STACKTRACE] = _stack(str(attributes[_STACKTRACE]))
    return name if name in EVENTS or name in own else MARKER, kept


class _ErrorTypes:
    """The names of all exception classes there are in this process."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._next = 0.0

    def __contains__(self, name: str) -> bool:
        if name not in self._known and time.monotonic() >= self._next:
            self._next = time.monotonic() + _REBUILD_SECONDS
            self._known = frozenset(_names(BaseException))
        return name in self._known


def _names(kind: type[BaseException]) -> Iterator[str]:
    yield kind.__name__
    for sub in kind.__subclasses__():
        yield from _names(sub)


_error_types = _ErrorTypes()


def _is_error_type(name: str) -> bool:
    return name.rpartition(".")[2] in _error_types


def _stack(text: str) -> str:
    """Return the places of a formatted stack, with the lines as they stand in the source, and nothing else of it."""
    lines: list[str] = []
    for found in _STACK.finditer(text):
        path, number, function = found.groups()
        if path is None:
            lines.append(_NEXT if lines else _NEXT.lstrip())
        elif path in linecache.cache:
            source = linecache.getline(path, int(number)).strip()
            lines.append(f'  File "{path}", line {number}, in {function}\n    {source}\n')
    return "".join(lines)
