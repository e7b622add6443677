"""What the documents show is what the demo leaves: each query is answered, each command of the runbook works."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from telemetry.backends import Trace
from tests.documents import DOCUMENTS, README, ROOT, blocks, prose
from tests.stack.conftest import Pipeline

EMPTY_WHEN_WELL = "otelcol_exporter_send_failed"
"""The Collector has these only once something has failed."""
ASKED_ELSEWHERE = {"METRICS_CATALOG.md", "TUTORIAL.md"}
"""By test_pipeline.py, as the catalog's; by test_tutorial.py, of its own program."""
QUERIES = [
    (path.name, block.text.strip())
    for path in DOCUMENTS
    if path.name not in ASKED_ELSEWHERE
    for block in blocks(path, "promql")
]
RUNBOOK = re.findall(r"`((?:make|\.venv/bin/python -m) [^`]+)`", prose(ROOT / "docs/RUNBOOK.md"))
TRIED_ELSEWHERE = {"make alert-test"}
"""Needs a channel: by test_stack_native.py."""


@pytest.mark.parametrize(("document", "query"), QUERIES, ids=[f"{name}: {query[:50]}" for name, query in QUERIES])
def test_a_query_of_a_document_is_answered(pipeline: Pipeline, demo: dict[str, Any], document: str, query: str) -> None:
    assert pipeline.prometheus.query(query) or EMPTY_WHEN_WELL in query


@pytest.mark.parametrize("command", sorted(set(RUNBOOK) - TRIED_ELSEWHERE))
def test_a_command_of_the_runbook_works(pipeline: Pipeline, demo: dict[str, Any], command: str) -> None:
    if "silence end ID" in command:
        made = pipeline.stack.run("silence", "5m", "so that there is one")
        command = command.replace("ID", re.findall(r"[0-9a-f]{8}-[0-9a-f-]+", made.stdout)[0])
    command = command.replace("trace ID=...", f"trace ID={demo['photo_trace_id']}")
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=pipeline.stack.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout != "" or "end" in command) == (0, True), done.stdout + done.stderr


def outline(trace: Trace) -> str:
    return "".join(f"{'  ' * depth}{span.name}\n" for depth, span in trace.walk())


def test_the_readmes_trace_is_one_of_the_demos(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    (shown,) = [block.text for block in blocks(README, "text")]
    names = re.sub(r" {2,}[\d.]+ m?s.*$", "", shown, flags=re.MULTILINE)
    found = pipeline.jaeger.search("health-agent", operation="vision.analyze_food", limit=100)
    assert names in {outline(trace) for trace in found}
