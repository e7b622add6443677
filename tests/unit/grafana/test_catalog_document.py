"""The page of the metrics has each of them, with what bounds it, where it is shown and which alerts watch it."""

from __future__ import annotations

import re

import pytest

from grafana.source import catalog_document
from grafana.source.alert_catalog import ALERTS
from telemetry import catalog
from telemetry.catalog import CATALOG, Metric

SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", catalog_document.markdown(), re.MULTILINE | re.DOTALL))


def test_each_metric_has_its_section() -> None:
    assert sorted(SECTIONS) == sorted(metric.prometheus for metric in CATALOG.values())


@pytest.mark.parametrize("metric", CATALOG.values(), ids=CATALOG)
def test_a_section_has_the_metrics_meaning_unit_bounds_and_query(metric: Metric) -> None:
    text = SECTIONS[metric.prometheus]
    for fact in (metric.description, f"`{metric.unit}`", f"at most {metric.series_bound:,} series", metric.query):
        assert fact in text
    for label in metric.labels:
        values = ", ".join(f"`{value}`" for value in label.values) or f"up to {label.limit} values"
        assert f"- Label `{label.name}`: {values}" in text
    assert ("- Buckets: " in text) == bool(metric.buckets)


@pytest.mark.parametrize("metric", CATALOG.values(), ids=CATALOG)
def test_a_metric_is_shown_on_a_dashboard(metric: Metric) -> None:
    assert "- Shown on: " in SECTIONS[metric.prometheus]


def test_an_alert_leads_to_its_section_of_the_runbook() -> None:
    assert "[High error rate](RUNBOOK.md#high-error-rate)" in SECTIONS[catalog.HTTP_REQUESTS.prometheus]
    linked = set(re.findall(r"\[([^]]+)\]\(RUNBOOK", "".join(SECTIONS.values())))
    assert linked <= {alert.runbook for alert in ALERTS}
    assert len(linked) > len(ALERTS) / 3
