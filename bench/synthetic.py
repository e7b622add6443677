"""Thirty days of metrics as the catalog has them, written straight into a Prometheus database.

A service that is deployed twice a day: an API and a bot, a new pair of processes with series of their own each time.
"""

from __future__ import annotations

import itertools
import subprocess
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from grafana.source.collector import COLLECTOR_METRICS
from grafana.source.promql import RECORDED
from grafana.source.rules import OBJECTIVES, kept_labels
from telemetry.catalog import CATALOG, Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["DAYS", "HOUR", "Size", "write"]

HOUR = 3600
RECORDED_SECONDS = 300
DAYS = 30
FILE_HOURS = 18
"""A length of block that promtool makes; a file that holds just one block is read once."""
VALUES_OF_A_LABEL = {"endpoint": 20, "method": 10, "status": 4, "error_type": 6, "model": 4, "command": 10}
MANY = 6
"""Values of other labels whose number is only capped."""
PACES = ((0,), (0, 1), (0, 0, 0, 3), (0, 5, 20))
"""What counters grow by from one sample to the next: some not at all, some now and then, some always."""


@dataclass(frozen=True)
class Size:
    """How much is written: series in all, and seconds between samples."""

    series: int = 100_000
    interval: int = 60


def write(size: Size, folder: Path, promtool: Path) -> None:
    """Write the database into `folder/data`, 18 hours at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    end = int(time.time()) // HOUR * HOUR
    begin, step = end - DAYS * 24 * HOUR, FILE_HOURS * HOUR
    processes = {"api": list(_process_series("telegram")), "bot": list(_process_series("http"))}
    deployments = max(1, size.series // sum(len(series) for series in processes.values()))
    life = (begin, DAYS * 24 * HOUR / deployments)
    text = folder / "samples.txt"
    for start in range(begin - begin % step, end, step):
        times = range(max(start, begin), min(start + step, end), size.interval)
        with text.open("w", encoding="utf-8") as file:
            file.writelines(_file(processes, times, life))
        command: list[str | Path] = [promtool, "tsdb", "create-blocks-from", f"--max-block-duration={FILE_HOURS}h"]
        subprocess.run([*command, "openmetrics", text, folder / "data"], stdout=subprocess.DEVNULL, check=True)  # noqa: S603
        text.unlink()


def _file(processes: Mapping[str, list[str]], times: range, life: tuple[int, float]) -> Iterator[str]:
    """Give everything that is measured at these times, in OpenMetrics' form."""
    for process, every in processes.items():
        for series in every:
            yield from _samples(series, process, times, life)
    for series in _common_series():
        yield from _lines(series, times, Random(series))
    for series in _recorded_rates():
        yield from _lines(series, times[:: max(1, RECORDED_SECONDS // times.step)], Random(series))
    yield "# EOF\n"


def _samples(series: str, process: str, times: range, life: tuple[int, float]) -> Iterator[str]:
    """Give the lines of one series of one process, and of those that follow it."""
    begin, lifetime = life
    for deployment, part in itertools.groupby(times, key=lambda at: int((at - begin) / lifetime)):
        named = series.replace("}", f',instance="{process}-{deployment}"}}', 1)
        yield from _lines(named, list(part), Random(named))


def _lines(series: str, times: range | list[int], random: Random) -> Iterator[str]:
    steps = random.choices(random.choice(PACES), k=len(times))
    values = itertools.accumulate(steps, initial=random.randrange(1000))
    yield "".join([f"{series} {value} {at}\n" for value, at in zip(values, times, strict=False)])


def _process_series(other: str) -> Iterator[str]:
    """Name every series of one process, as `name{labels}`; metrics of the `other` process it does not have."""
    for metric in CATALOG.values():
        for labels in _combinations(metric) if not metric.name.startswith(other) else ():
            if metric.kind != "histogram":
                yield _series(metric.prometheus, labels)
                continue
            for bound in (*(f"{bound:g}" for bound in metric.buckets), "+Inf"):
                yield _series(f"{metric.prometheus}_bucket", {**labels, "le": bound})
            yield from (_series(f"{metric.prometheus}_{suffix}", labels) for suffix in ("sum", "count"))


def _combinations(metric: Metric) -> Iterator[dict[str, str]]:
    choices = []
    for label in metric.labels:
        many = VALUES_OF_A_LABEL.get(label.name, MANY)
        choices.append(label.values[:many] or [f"{label.name}-{number}" for number in range(many)])
    found = (
        dict(zip((label.name for label in metric.labels), values, strict=True))
        for values in itertools.product(*choices)
    )
    yield from (labels for labels in found if _exists(labels))


def _exists(labels: Mapping[str, str]) -> bool:
    """Tell whether there would be such a series: an endpoint has one method, or now and then two."""
    endpoint, method = labels.get("endpoint", ""), labels.get("method", "")
    return not endpoint or method == "GET" or (method == "POST" and endpoint.endswith("3"))


def _common_series() -> Iterator[str]:
    """Name the series that are no process's own: the Collector's and the recorded ones."""
    for name, labels in COLLECTOR_METRICS.items():
        parts = [f"part-{number}" for number in range(3)]
        yield from (_series(name, dict.fromkeys((*labels, "instance"), part)) for part in parts)
    yield from (_series(name, {}) for name in OBJECTIVES)


def _recorded_rates() -> Iterator[str]:
    """Name the series that are recorded without their processes."""
    for name, metric in RECORDED.items():
        kept = kept_labels(metric)
        combinations = {tuple(found[label] for label in kept) for found in _combinations(metric)}
        for values in sorted(combinations):
            labels = dict(zip(kept, values, strict=True))
            for bound in (*metric.buckets, "+Inf") if metric.buckets else ():
                yield _series(f"{name}:rate5m", {**labels, "le": str(bound)})
            if not metric.buckets:
                yield _series(f"{name}:rate5m", labels)


def _series(name: str, labels: dict[str, str]) -> str:
    common = {"deployment_environment_name": "production"}
    if ":" not in name:
        common |= {"job": "health-agent", "service_name": "health-agent"}
    inside = ",".join(f'{label}="{value}"' for label, value in (common | labels).items())
    return f"{name}{{{inside}}}"
