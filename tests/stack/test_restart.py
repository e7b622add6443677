"""A reminder stored by one process and sent by the next: its trace links to the one that asked for it."""

from __future__ import annotations

from pathlib import Path

from examples.health_agent.embedded import passing_url
from tests.stack.conftest import Pipeline
from tests.stack.test_killed import wait_for

ASK = """
import json, psycopg, sys, telemetry
telemetry.init(strict=True)
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute("CREATE TABLE reminders (context json)")
    with telemetry.get_tracer().start_as_current_span("ask"):
        connection.execute("INSERT INTO reminders VALUES (%s)", [json.dumps(telemetry.save_context())])
"""
SEND = """
import psycopg, sys, telemetry
telemetry.init(strict=True)
with psycopg.connect(sys.argv[1]) as connection:
    (stored,) = connection.execute("SELECT context FROM reminders").fetchone()
with telemetry.resume_context(stored, "reminders.send") as span:
    print(f"{span.get_span_context().trace_id:032x}")
"""


def test_a_reminders_trace_links_to_where_it_came_from_after_a_restart(pipeline: Pipeline, tmp_path: Path) -> None:
    database = passing_url()
    assert pipeline.run("-c", ASK, database).returncode == 0
    sent = pipeline.run("-c", SEND, database)
    trace = wait_for(lambda: pipeline.jaeger.trace(sent.stdout.strip()))
    assert trace is not None, sent.stderr
    (root,) = trace.spans
    (origin,) = root.links
    asked = wait_for(lambda: pipeline.jaeger.trace(origin))
    assert asked is not None
    assert [span.name for span in asked.roots()] == ["ask"]
