"""Counters, gauges and histograms of the catalog's own types, written as OpenMetrics text with their times."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Protocol, TypeVar

from grafana.source.collector import COLLECTOR_METRICS
from telemetry.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.catalog import Metric

__all__ = ["Histogram", "Meter", "Number", "known_series"]


def known_series() -> set[str]:
    """Name every series that the catalog or the Collector can bring, as Prometheus has them."""
    histograms = {metric.prometheus for metric in CATALOG.values() if metric.kind == "histogram"}
    plain = {metric.prometheus for metric in CATALOG.values()} - histograms
    parts = {f"{name}_{suffix}" for name in histograms for suffix in ("bucket", "sum", "count")}
    return plain | parts | set(COLLECTOR_METRICS)


class _Series(Protocol):
    def lines(self, at: float, before: float) -> Iterable[str]: ...


S = TypeVar("S", bound=_Series)


class Number:
    """A counter or a gauge. A counter that is not `known` beforehand begins with its first event, and a 0 before it."""

    def __init__(self, prefix: str, *, known: bool, zero: bool = True) -> None:
        """Write nothing before it is known, or set."""
        self.value: float = 0
        self._prefix, self._begun, self._zero = prefix, known, zero

    def lines(self, at: float, before: float) -> Iterable[str]:
        """Write the value, after the 0 it began at."""
        if self._begun:
            return (f"{self._prefix} {self.value} {at:.3f}\n",)
        if not self.value:
            return ()
        self._begun = True
        zero = f"{self._prefix} 0 {before:.3f}\n" if self._zero else ""
        return zero, f"{self._prefix} {self.value} {at:.3f}\n"


class Histogram:
    """Counts in buckets; `counts` are those of each bucket alone."""

    def __init__(self, prefixes: Sequence[str], count: str) -> None:
        """Write nothing before the first event; an empty prefix is a series that nobody reads."""
        self.counts = [0] * len(prefixes)
        self._prefixes, self._count, self._begun = prefixes, count, False

    def add(self, counts: Iterable[int]) -> None:
        """Add events, by bucket."""
        self.counts = [old + new for old, new in zip(self.counts, counts, strict=True)]

    def lines(self, at: float, before: float) -> Iterable[str]:
        """Write each bucket and the count."""
        totals = list(accumulate(self.counts))
        if not totals[-1]:
            return
        named = [*zip(self._prefixes, totals, strict=True), (self._count, totals[-1])]
        if not self._begun:
            yield from (f"{prefix} 0 {before:.3f}\n" for prefix, _ in named if prefix)
        self._begun = True
        yield from (f"{prefix} {value} {at:.3f}\n" for prefix, value in named if prefix)


class Meter:
    """The series of one process: only those in `read` are written."""

    def __init__(self, common: Mapping[str, str], read: frozenset[str]) -> None:
        """Give every series the `common` labels."""
        self._common, self._read = dict(common), read
        self._series: list[_Series] = []
        self.names: set[str] = set()
        """What it can write."""

    def number(self, metric: Metric, *, known: bool = True, **labels: str) -> Number:
        """Begin a counter or a gauge; raises `ValueError` for labels that the catalog does not have."""
        _check(metric, labels)
        return self._number(metric.prometheus, labels, known=known, zero=metric.kind == "counter")

    def histogram(self, metric: Metric, **labels: str) -> Histogram:
        """Begin a histogram."""
        _check(metric, labels)
        bounds = [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]
        name = metric.prometheus
        prefixes = [self._prefix(f"{name}_bucket", {**labels, "le": bound}) for bound in bounds]
        return self._kept(Histogram(prefixes, self._prefix(f"{name}_count", labels)))

    def of_collector(self, name: str, *, known: bool = True, **labels: str) -> Number:
        """Begin a series of the Collector's, whose failures have no 0 before them."""
        if set(labels) - set(COLLECTOR_METRICS[name]):
            raise ValueError(f"{name} has the labels {COLLECTOR_METRICS[name]} (got {tuple(labels)}).")
        return self._number(name, labels, known=known, zero=False)

    def lines(self, at: float, before: float) -> Iterable[str]:
        """Write all; what began since the last report did so at the time `before`."""
        for series in self._series:
            yield from series.lines(at, before)

    def _number(self, name: str, labels: Mapping[str, str], *, known: bool, zero: bool) -> Number:
        number = Number(self._prefix(name, labels), known=known, zero=zero)
        return self._kept(number) if name in self._read else number

    def _kept(self, series: S) -> S:
        self._series.append(series)
        return series

    def _prefix(self, name: str, labels: Mapping[str, str]) -> str:
        self.names.add(name)
        inside = ",".join(f'{label}="{value}"' for label, value in {**self._common, **labels}.items())
        return f"{name}{{{inside}}}" if name in self._read else ""


def _check(metric: Metric, labels: Mapping[str, str]) -> None:
    known = {label.name: label.values for label in metric.labels}
    if set(labels) != set(known):
        raise ValueError(f"{metric.name} has the labels {tuple(known)} (got {tuple(labels)}).")
    for name, value in labels.items():
        if known[name] and value not in known[name]:
            raise ValueError(f"{metric.name} has {name} in {known[name]} (got {value!r}).")
