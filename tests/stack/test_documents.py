"""Each query that a document shows is one that Prometheus answers, of metrics that are there after the demo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.stack.conftest import Pipeline

DOCS = Path(__file__).parents[2] / "docs"
EMPTY_WHEN_WELL = "otelcol_exporter_send_failed"
"""The Collector has these only once something has failed."""
QUERIES = [
    (path.name, query.strip())
    for path in sorted(DOCS.glob("*.md"))
    for query in re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL)
]


@pytest.mark.parametrize(("document", "query"), QUERIES, ids=[f"{name}: {query[:50]}" for name, query in QUERIES])
def test_a_query_of_a_document_is_answered(pipeline: Pipeline, demo: dict[str, Any], document: str, query: str) -> None:
    assert pipeline.prometheus.query(query) or EMPTY_WHEN_WELL in query
