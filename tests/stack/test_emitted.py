"""All that the demo emits, by name: a change to any name, unit, label or key shows as a change of one file.

`make snapshot` writes the file anew; what reads these names (dashboards, alerts, people) must then follow.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from telemetry.backends import Span
from telemetry.catalog import CATALOG
from tests.stack.conftest import Pipeline
from tests.stack.test_pipeline import ADDED_ON_THE_WAY, selector

SNAPSHOT = Path(__file__).parents[1] / "data" / "emitted.txt"
ON_THE_WAY = ADDED_ON_THE_WAY - {"__name__", "le"}


def test_what_the_demo_emits_is_what_is_written_down(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    found = "".join(f"{line}\n" for line in [*metrics(pipeline, demo), *spans(pipeline, demo)])
    if os.environ.get("WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(found)
    assert found.splitlines() == SNAPSHOT.read_text().splitlines(), "meant? then: make snapshot"


def metrics(pipeline: Pipeline, demo: dict[str, Any]) -> Iterator[str]:
    """Each metric with its kind, its unit and its labels."""
    labels: dict[str, set[str]] = defaultdict(set)
    for sample in pipeline.prometheus.query(selector(demo), at=demo["ended"]):
        labels[sample.labels["__name__"]] |= set(sample.labels) - ON_THE_WAY - {"__name__"}
    known = {
        metric.prometheus + suffix: metric
        for metric in CATALOG.values()
        for suffix in (("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",))
    }
    for name in sorted(set(labels) - {"target_info", "ALERTS", "ALERTS_FOR_STATE"}):
        yield " ".join(["metric", name, known[name].kind, known[name].unit, *sorted(labels[name])])


def spans(pipeline: Pipeline, demo: dict[str, Any]) -> Iterator[str]:
    """The attributes of every span, then each name of a span with those that it may have beside them."""
    found = list(spans_of(pipeline, demo))
    every = set.intersection(*(set(span.attributes) for span in found))
    yield " ".join(["every span", *sorted(every)])
    keys: dict[str, set[str]] = defaultdict(set)
    for span in found:
        keys[span.name] |= set(span.attributes) - every
    for name in sorted(keys):
        yield " ".join([f"span {name}:", *sorted(keys[name])])


def spans_of(pipeline: Pipeline, demo: dict[str, Any]) -> Iterator[Span]:
    instances = set(demo["instances"].values())
    for trace in pipeline.jaeger.search("health-agent", limit=5000):
        yield from (span for span in trace.spans if span.attributes.get("service.instance.id") in instances)
