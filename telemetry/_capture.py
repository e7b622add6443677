"""A set-up whose spans, metrics and errors stay in memory, to be read by a test; it shares nothing with another one."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from telemetry import _guard, _runtime, providers
from telemetry._bounds import Bounds
from telemetry._captured_errors import CapturedErrors
from telemetry._clean_spans import clean_spans
from telemetry._fake_clock import FakeClock
from telemetry.catalog import CATALOG
from telemetry.instruments import Instruments
from telemetry.pseudonyms import Pseudonyms
from telemetry.settings import Settings
from telemetry.switches import Switches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from telemetry.sentry import Sentry

__all__ = ["Capture", "CountingIds", "Points", "SpanNode"]

Points = dict[tuple[str, ...], float]
"""A metric's values by their label values, in the labels' alphabetical order."""


class CountingIds(IdGenerator):
    """Gives 1, 2, 3, so that a test can write ids down."""

    def __init__(self) -> None:
        """Start at 1, spans and traces each by themselves."""
        self._traces, self._spans = itertools.count(1), itertools.count(1)

    def generate_trace_id(self) -> int:
        """Return the next trace id."""
        return next(self._traces)

    def generate_span_id(self) -> int:
        """Return the next span id."""
        return next(self._spans)


@dataclass(frozen=True)
class SpanNode:
    """A span that has ended, and the spans that began in it, first begun first."""

    name: str
    attributes: Mapping[str, Any]
    status: str
    """unset, ok or error."""
    seconds: float
    children: tuple[SpanNode, ...] = field(default=())

    def outline(self, depth: int = 0) -> str:
        """Return the names as a text, a line a span, each level two spaces further in."""
        return "\n".join(["  " * depth + self.name, *(child.outline(depth + 1) for child in self.children)])


class _StartOrder(SpanProcessor):
    """Remembers which span started first: a clock that stands still does not tell."""

    def __init__(self) -> None:
        self.number: dict[int, int] = {}

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        del parent_context
        self.number[span.context.span_id if span.context else 0] = len(self.number)


class _Cleaned(SpanExporter):
    """Cleans spans as they would be cleaned before they leave."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export(clean_spans(spans))


class Capture:
    """What happened since it began: `spans`, `tree()`, `metrics()`, `number()`, `errors`, `events`.

    `with capture:` puts it in force for the process, `with capture.here():` for the running task or thread only.
    Settings are the defaults unless given; the environment is not read and no global provider is touched.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        ids: IdGenerator | None = None,
        exporter: SpanExporter | None = None,
        sentry: Sentry | None = None,
    ) -> None:
        """Prepare; `exporter` and `sentry` stand for what is in memory otherwise."""
        settings = settings or Settings()
        switches = Switches()
        self.sentry: CapturedErrors = CapturedErrors(switches)
        self.clock: FakeClock = FakeClock()
        self._spans, self._reader, self._started = InMemorySpanExporter(), InMemoryMetricReader(), _StartOrder()
        ids = ids or RandomIdGenerator()
        resource = providers.resource(settings)
        traces = providers.tracer_provider(settings, resource, ids, switches)
        traces.add_span_processor(self._started)
        traces.add_span_processor(SimpleSpanProcessor(_Cleaned(exporter or self._spans)))
        for processor in sentry.span_processors() if sentry else ():
            traces.add_span_processor(processor)
        labels = Bounds()
        meters = providers.meter_provider(resource, [self._reader], labels)
        instruments = Instruments(meters.get_meter(_runtime.NAME), switches, labels)
        errors = sentry or self.sentry
        self.runtime: _runtime.Runtime = _runtime.Runtime(
            settings,
            traces,
            meters,
            instruments,
            errors,
            ids=ids,
            switches=switches,
            pseudonyms=Pseudonyms.of(settings),
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, cleaned as they would leave the process, first ended first."""
        return list(self._spans.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of this name; raises `ValueError` where there is none, or more than one."""
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            names = sorted({span.name for span in self.spans})
            raise ValueError(f"there must be one span {name} (got {len(found)}); the spans are {names}")
        return found[0]

    def tree(self) -> tuple[SpanNode, ...]:
        """Return the spans as trees, first begun first; a span whose parent is not here is a root."""
        ended = {span.context.span_id: span for span in self.spans if span.context}
        children: dict[int, list[ReadableSpan]] = {}
        for span_id in sorted(ended, key=lambda span_id: self._started.number[span_id]):
            parent = ended[span_id].parent
            children.setdefault(parent.span_id if parent and parent.span_id in ended else 0, []).append(ended[span_id])

        def nodes(span_id: int) -> tuple[SpanNode, ...]:
            return tuple(_node(span, nodes(span.context.span_id)) for span in children.get(span_id, ()) if span.context)

        return nodes(0)

    def outline(self) -> str:
        """Return the spans' names as a text, a line a span, each child two spaces further in than its parent."""
        return "\n".join(node.outline() for node in self.tree())

    @property
    def errors(self) -> list[BaseException]:
        """The exceptions that Sentry would show, in the order in which they were reported."""
        return self.sentry.errors

    @property
    def events(self) -> list[dict[str, Any]]:
        """Sentry's events: exception, user, tags, breadcrumbs, trace and span id, cleaned as they would leave."""
        return self.sentry.events

    def metrics(self) -> dict[str, Points]:
        """Each metric's points that are not a counter's zero; those stand in `series`."""
        found = {name: {key: value for key, value in points.items() if value} for name, points in self.series().items()}
        return {name: points for name, points in found.items() if points}

    def series(self) -> dict[str, Points]:
        """Each metric's value by its label values, in the labels' alphabetical order; a histogram's is its count."""
        found: dict[str, Points] = {}
        for name, point in self._points():
            key = tuple(str(value) for _, value in sorted((point.attributes or {}).items()))
            found.setdefault(name, {})[key] = float(point.value if hasattr(point, "value") else point.count)
        return found

    def number(self, name: str, **labels: str) -> float:
        """Return a metric's value over the series with these labels, added up, 0 where there are none.

        `name` is the catalog's or Prometheus'; of a histogram it is the count, with `_sum` at the end the sum. Raises
        `KeyError` for a name that is not in the catalog.
        """
        base, what = next(((name.removesuffix(s), s[1:]) for s in ("_count", "_sum") if name.endswith(s)), (name, ""))
        metric = next((m for m in CATALOG.values() if base in (m.name, m.prometheus)), None)
        if metric is None:
            raise KeyError(f"{name} is not in the catalog")
        field_of = what or ("count" if metric.kind == "histogram" else "value")
        points = [point for found, point in self._points() if found == metric.name]
        matching = [point for point in points if labels.items() <= dict(point.attributes or {}).items()]
        return float(sum(getattr(point, field_of) for point in matching))

    def _points(self) -> Iterator[tuple[str, Any]]:
        data = self._reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                yield from ((metric.name, point) for point in metric.data.data_points)

    @contextmanager
    def here(self) -> Iterator[Self]:
        """Be in force for the running task or thread and what carries its context on; others are not affected."""
        with _runtime.only_here(self.runtime):
            yield self

    def __enter__(self) -> Self:
        """Be in force for the process; a failure of this package raises instead of being logged."""
        self._before = _runtime.current()
        _runtime.install(self.runtime)
        _guard.set_strict(True)
        return self

    def __exit__(self, *_: object) -> None:
        """Put back what was in force before."""
        self.runtime.stop()
        self.clock.close()
        _guard.set_strict(False)
        _runtime.install(self._before)


def _node(span: ReadableSpan, children: tuple[SpanNode, ...]) -> SpanNode:
    seconds = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
    return SpanNode(span.name, dict(span.attributes or {}), span.status.status_code.name.lower(), seconds, children)
