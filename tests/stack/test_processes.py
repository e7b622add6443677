"""However a service is run, each unit of its work is in Prometheus and Jaeger once, and it ends in time."""

from __future__ import annotations

import pytest

from bench.matrix import WAYS
from tests.stack.conftest import Pipeline


@pytest.mark.parametrize("way", WAYS)
def test_every_process_is_counted_once_and_ends_within_the_budget(pipeline: Pipeline, way: str) -> None:
    done = pipeline.run("-m", "bench.matrix", way)
    assert done.returncode == 0, done.stdout + done.stderr
