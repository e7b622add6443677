"""A trace as a store gives it back: spans, and the tree they make, whichever store they come from."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Span", "Trace"]

_TYPE = "exception.type"


@dataclass(frozen=True)
class Span:
    """A span as a store returns it; `start` in Unix seconds, `duration` in seconds, ids in hexadecimal."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    service: str
    start: float
    duration: float
    attributes: dict[str, Any]
    links: tuple[str, ...]
    """The other traces it points to."""
    error: bool
    exceptions: tuple[str, ...] = ()
    """The types of the exceptions recorded on it."""

    @classmethod
    def from_jaeger(cls, data: Mapping[str, Any], processes: Mapping[str, Any]) -> Self:
        """Read one element of Jaeger's `spans`; `processes` is the trace's own table of processes."""
        references = data.get("references", [])
        parents = [r["spanID"] for r in references if r["refType"] == "CHILD_OF" and r["traceID"] == data["traceID"]]
        process = processes[data["processID"]]
        attributes = {tag["key"]: tag["value"] for tag in (*process.get("tags", ()), *data.get("tags", ()))}
        return cls(
            trace_id=data["traceID"],
            span_id=data["spanID"],
            parent_id=parents[0] if parents else None,
            name=data["operationName"],
            service=process["serviceName"],
            start=data["startTime"] / 1e6,
            duration=data["duration"] / 1e6,
            attributes=attributes,
            links=tuple(r["traceID"] for r in references if r["traceID"] != data["traceID"]),
            error=attributes.get("error") in (True, "true") or attributes.get("otel.status_code") == "ERROR",
            exceptions=tuple(
                str(field["value"])
                for log in data.get("logs") or ()
                for field in log.get("fields") or ()
                if field["key"] == _TYPE
            ),
        )

    @property
    def error_type(self) -> str:
        """What went wrong, in a word: the exception's type, else `error.type`, else the status's text; may be empty."""
        noted = (self.attributes.get(name) for name in ("error.type", "otel.status_description"))
        says = (*self.exceptions[-1:], *noted)
        return next((str(text) for text in says if text), "")


@dataclass(frozen=True)
class Trace:
    """All spans found under one trace id, oldest first."""

    trace_id: str
    spans: tuple[Span, ...]

    @classmethod
    def from_jaeger(cls, data: Mapping[str, Any]) -> Self:
        """Read one element of Jaeger's `data`."""
        return cls.of(data["traceID"], [Span.from_jaeger(span, data["processes"]) for span in data["spans"]])

    @classmethod
    def of(cls, trace_id: str, spans: list[Span]) -> Self:
        """Put the spans in order."""
        return cls(trace_id, tuple(sorted(spans, key=lambda span: (span.start, span.parent_id or ""))))

    def named(self, name: str) -> tuple[Span, ...]:
        """Return the spans of this name."""
        return tuple(span for span in self.spans if span.name == name)

    def roots(self) -> tuple[Span, ...]:
        """Return the spans whose parent is not in the trace."""
        known = {span.span_id for span in self.spans}
        return tuple(span for span in self.spans if span.parent_id not in known)

    def orphans(self) -> tuple[Span, ...]:
        """Return the spans that have a parent which is not stored."""
        return tuple(span for span in self.roots() if span.parent_id is not None)

    def walk(self) -> Iterator[tuple[int, Span]]:
        """Yield each span once with its depth in the tree, parents before their children."""
        children: defaultdict[str | None, list[Span]] = defaultdict(list)
        for span in self.spans:
            children[span.parent_id].append(span)
        stack = [(0, span) for span in reversed(self.roots())]
        while stack:
            depth, span = stack.pop()
            yield depth, span
            # Taken out: a parent that is stored twice has its children once.
            stack.extend((depth + 1, child) for child in reversed(children.pop(span.span_id, [])))
