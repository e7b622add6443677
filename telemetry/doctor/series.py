"""What Prometheus holds of this service now, compared with this version's form and bounds.

"Now" is Prometheus's own: series that were written within five minutes.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from telemetry.catalog import CATALOG, TELEMETRY_LABEL_OVERFLOW
from telemetry.doctor.findings import BROKEN, LOOK, OFF, OK, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.backends import Prometheus, Sample
    from telemetry.catalog import Metric

__all__ = ["Use", "examine", "older_names", "stored_names"]

_SENT = r'__name__!~"ALERTS(_FOR_STATE)?|.+:.+"'
"""Not what Prometheus's own rules write: an alert that fires has a service's name and no instance."""
_NEAR = 0.8
_SHOWN = 3
_PARTS = ("", "_bucket", "_count", "_sum")
_OTHER_VERSION = (
    "a process of an older version, or with OpenTelemetry's own instrumentation, still writes: restart it with this "
    "version"
)
_NO_INSTANCE = (
    "let the sender's resource have service.instance.id, as this SDK's has; restart what runs with an older one"
)
_OTHER_COLLECTOR = "the Collector runs an older configuration: start it with collector/config.yaml (make down up)"
_FOREIGN = re.compile(
    r"(?:http_(?:server|client)_(?:request_|response_)?(?:duration|size|active_requests)|db_client_connections)_?.*"
    r"|.*_milliseconds(?:_bucket|_count|_sum)?"
)
"""Names of OpenTelemetry's stock instrumentations, of before and after HTTP's conventions were stable."""


@dataclass(frozen=True)
class Use:
    """How many series of a metric the process with the most of them has, and how many it may have."""

    metric: str
    series: int
    bound: int
    can_grow: bool
    """Whether a label takes any value up to a limit; where all values are listed, to have them all is no sign."""

    @property
    def share(self) -> float:
        """Of the bound."""
        return self.series / self.bound


def stored_names(metric: Metric) -> set[str]:
    """Return the names under which a metric's series are stored."""
    parts = _PARTS[1:] if metric.kind == "histogram" else _PARTS[:1]
    return {f"{metric.prometheus}{part}" for part in parts}


def older_names(metric: Metric) -> set[str]:
    """Return what other translations and versions make of a metric's name: no unit, no `_total`, dots, milliseconds."""
    base = metric.name.replace(".", "_")
    bases = {metric.name, base, f"{base}_ms", f"{base}_milliseconds", metric.prometheus.removesuffix("_total")}
    parts = _PARTS if metric.kind == "histogram" else _PARTS[:1]
    return {f"{one}{part}" for one in bases for part in parts} - stored_names(metric)


_KNOWN = {name: metric for metric in CATALOG.values() for name in stored_names(metric)}
_OLD = {name: metric for metric in CATALOG.values() for name in older_names(metric) if name not in _KNOWN}


def examine(prometheus: Prometheus, service: str, numbers: dict[str, Any]) -> Iterator[Finding]:
    """Ask once for the series by name and process, and judge their form and their number."""
    where = f"service_name={json.dumps(service)}"  # PromQL's strings are JSON's
    job = json.dumps(f"(.*/)?{re.escape(service)}")
    found = prometheus.query(f"count by (__name__, instance) ({{{where},{_SENT}}})")
    unnamed = prometheus.query(f'count by (__name__) ({{job=~{job},service_name="",{_SENT}}})')
    if not found and not unnamed:
        yield Finding("series", OFF, f"nothing of {service} was stored within five minutes")
        return
    problems = list(_schema(found, unnamed))
    yield from problems or [Finding("schema", OK, f"names and labels of {service} are this version's")]
    uses = _uses(found)
    numbers["cardinality"] = [asdict(use) for use in uses]
    overflow = prometheus.query(f"sum by (metric) (increase({TELEMETRY_LABEL_OVERFLOW.prometheus}{{{where}}}[1h])) > 0")
    yield from _cardinality(uses, found, [sample.labels.get("metric", "") for sample in overflow])


def _schema(found: list[Sample], unnamed: list[Sample]) -> Iterator[Finding]:
    names = {sample.labels["__name__"] for sample in found}
    if old := sorted(name for name in names if name in _OLD or (name not in _KNOWN and _FOREIGN.fullmatch(name))):
        shown = _some([f"{name} (here {_OLD[name].prometheus})" if name in _OLD else name for name in old])
        yield Finding("schema", BROKEN, f"names of another schema: {shown}", _OTHER_VERSION)
    if lone := sorted({sample.labels["__name__"] for sample in found if not sample.labels.get("instance")}):
        yield Finding("schema", BROKEN, f"no instance, so that processes overwrite each other: {_some(lone)}",
                      _NO_INSTANCE)  # fmt: skip
    if strange := sorted({sample.labels["__name__"] for sample in unnamed} - {"target_info"}):
        yield Finding("schema", BROKEN, f"no service_name: {_some(strange)}", _OTHER_COLLECTOR)


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _uses(found: list[Sample]) -> list[Use]:
    """Return how full each metric's bound is, the fullest first."""
    series: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sample in found:
        if metric := _KNOWN.get(sample.labels["__name__"]):
            series[metric.name][sample.labels.get("instance", "")] += round(sample.value)
    uses = [_use(CATALOG[name], max(by.values())) for name, by in series.items()]
    return sorted(uses, key=lambda use: -use.share)


def _use(metric: Metric, series: int) -> Use:
    return Use(metric.prometheus, series, metric.series_bound, any(label.limit for label in metric.labels))


def _cardinality(uses: list[Use], found: list[Sample], overflowing: list[str]) -> Iterator[Finding]:
    total = round(sum(sample.value for sample in found))
    processes = len({sample.labels.get("instance", "") for sample in found})
    over = [use for use in uses if use.series > use.bound]
    for use in over:
        yield Finding("cardinality", BROKEN, f"{use.metric} has {use.series:,} series in a process, {use.bound:,} are "
                      "the most there can be", "something else writes under this name and service: "
                      f"count by (job, instance, otel_scope_name) ({use.metric})")  # fmt: skip
    growing = [use for use in uses if use.can_grow]
    near = [use.metric for use in growing if _NEAR <= use.share <= 1]
    if overflowing or near:
        names = ", ".join(dict.fromkeys([*overflowing, *near]))
        yield Finding("cardinality", LOOK, f"at their bounds: {names}; what goes past them is counted as `other`",
                      "look which label grows, and record less of it: python -m telemetry catalog")  # fmt: skip
    if not over:
        nearest = ", ".join(f"{use.metric} {use.series:,} of {use.bound:,}" for use in growing[:_SHOWN])
        yield Finding("cardinality", OK, f"{total:,} series of {len(uses)} metrics, processes: {processes}",
                      facts=(f"nearest their bounds, a process: {nearest}",) if nearest else ())  # fmt: skip
