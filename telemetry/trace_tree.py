"""A stored trace for people and for programs: the tree that `python -m telemetry trace` prints.

What a store holds is somebody's text: nothing but printable characters of it reaches the terminal.
"""

from __future__ import annotations

import json
import textwrap
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.stored_traces import Span, Trace

__all__ = ["View", "as_json", "plain", "printable"]

_COLUMNS = 80
_HEAD = f"{'start ms':>10}{'took ms':>11}  "
_NAMED = 10
"""Spans without their parent, by name; of more there is the number."""
_DEEPEST = 16
"""Steps to the right; what is deeper stands there too."""
_RED, _DIM, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"
_EVENT = "sentry.event_id"
_REASONS = {
    "error": "not sampled: only this span is kept, because it failed",
    "slow": "not sampled: only this span is kept, because it was slow",
}


@dataclass(frozen=True)
class View:
    """Where the trace was found, what its errors' addresses in Sentry begin with, and whether to use colour."""

    store: str
    event_url: str = ""
    colour: bool = False

    def paint(self, text: str, colour: str) -> str:
        """Colour a text, where that is wanted."""
        return f"{colour}{text}{_PLAIN}" if self.colour else text

    def event(self, span: Span) -> str:
        """Return the address of the span's error in Sentry, its id where no address is known, else nothing."""
        event_id = str(span.attributes.get(_EVENT, ""))
        try:
            return f"{self.event_url}{uuid.UUID(event_id)}" if self.event_url else event_id
        except ValueError:
            return printable(event_id)


def plain(trace: Trace, view: View) -> str:
    """Return the tree in 80 columns; only addresses may be longer."""
    begin = trace.spans[0].start
    took = max(span.start + span.duration for span in trace.spans) - begin
    failed = sum(span.error for span in trace.spans)
    moment = datetime.fromtimestamp(begin, UTC)
    lines = [
        f"trace {trace.trace_id}, {moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03} UTC",
        f"{_count(len(trace.spans), 'span')}, {_count(failed, 'error')}, {took * 1000:,.1f} ms, from {view.store}",
        "",
        f"{_HEAD}span",
    ]
    services: dict[str, str] = {}
    for depth, span in trace.walk():
        service = "" if services.get(span.parent_id or "") == span.service else span.service
        services[span.span_id] = span.service
        line = _line(span, depth, service, begin)
        lines += [view.paint(line, _RED) if span.error else line, *_note_lines(span, depth, view)]
    lines += _missing(trace)
    return "\n".join(lines) + "\n"


def _line(span: Span, depth: int, service: str, begin: float) -> str:
    times = f"{(span.start - begin) * 1000:>10,.1f}{span.duration * 1000:>11,.1f}  "
    mark = "! " if span.error else ""
    of = f" [{printable(service)}]" if service else ""
    line = f"{times}{_indent(depth)}{mark}{printable(span.name)}{of}"
    return line if len(line) <= _COLUMNS else f"{line[: _COLUMNS - 3]}..."


def _note_lines(span: Span, depth: int, view: View) -> Iterator[str]:
    inside = f"{' ' * len(_HEAD)}{_indent(depth)}  "
    wrapper = textwrap.TextWrapper(
        _COLUMNS, initial_indent=inside, subsequent_indent=inside, break_long_words=False, break_on_hyphens=False
    )
    for note in _notes(span, view):
        yield from (view.paint(line, _DIM) for line in wrapper.wrap(note))


def _indent(depth: int) -> str:
    return "  " * min(depth, _DEEPEST)


def _notes(span: Span, view: View) -> Iterator[str]:
    """Say what a line of the tree has no room for."""
    if span.error:
        yield f"error: {printable(span.error_type) or 'no type was recorded'}"
    if event := view.event(span):
        more = ", as one more of its kind" if span.attributes.get("sentry.suppressed") else ""
        yield f"in Sentry{more}: {event}"
    if reason := _REASONS.get(str(span.attributes.get("sampling.reason"))):
        yield reason
    for link in span.links:
        yield f"linked to trace {printable(link)}"


def _missing(trace: Trace) -> Iterator[str]:
    orphans = trace.orphans()
    if not orphans:
        return
    yield ""
    for span in orphans[:_NAMED]:
        name = printable(span.name)
        yield from textwrap.wrap(f"? {name}: its parent {span.parent_id} is not stored", _COLUMNS)
    if len(orphans) > _NAMED:
        yield f"? {len(orphans) - _NAMED:,} more"
    yield from textwrap.wrap(
        "A parent may still run, belong to a caller that reports elsewhere, or be lost: `python -m telemetry losses`.",
        _COLUMNS,
    )


def as_json(trace: Trace, view: View) -> str:
    """Return the same for programs; times in seconds, the tree as `depth` in its order."""
    orphans = {span.span_id for span in trace.orphans()}
    spans = [_fields(span, depth, view) | {"parent_missing": span.span_id in orphans} for depth, span in trace.walk()]
    found = {"trace_id": trace.trace_id, "store": view.store, "start": trace.spans[0].start, "spans": spans}
    return json.dumps(found, indent=2) + "\n"


def _fields(span: Span, depth: int, view: View) -> dict[str, Any]:
    return {
        "depth": depth,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "service": span.service,
        "start": span.start,
        "duration": span.duration,
        "status": "error" if span.error else "ok",
        "error_type": span.error_type if span.error else None,
        "sentry_event": view.event(span) or None,
        "links": list(span.links),
        "attributes": span.attributes,
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Return a text of somebody else's as a terminal may get it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
