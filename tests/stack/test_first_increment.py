"""An error of a kind never seen before, once: Prometheus sees it rise, and an alert on its rate would fire."""

from __future__ import annotations

import uuid

from tests.stack.conftest import Pipeline
from tests.stack.test_killed import wait_for

ONCE = """
import telemetry
telemetry.init(strict=True)
telemetry.record_error(type("NeverSeenBefore", (Exception,), {})(), component="agent")
telemetry.shutdown()
"""


def test_one_error_of_an_unknown_kind_raises_its_rate(pipeline: Pipeline) -> None:
    instance = f"first-{uuid.uuid4()}"
    done = pipeline.run("-c", ONCE, OTEL_RESOURCE_ATTRIBUTES=f"service.instance.id={instance}")
    assert done.returncode == 0, done.stderr
    query = f'increase(errors_total{{instance="{instance}",error_type="NeverSeenBefore"}}[5m])'
    assert (wait_for(lambda: pipeline.prometheus.scalar(query)) or 0) > 0
