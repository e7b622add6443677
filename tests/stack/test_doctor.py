"""`doctor` finds everything in a stack that works; else it names the hop, the reason and the remedy."""

from __future__ import annotations

import pytest

from tests.stack.conftest import Pipeline


def test_in_a_stack_that_works_every_hop_is_ok(pipeline: Pipeline) -> None:
    done = pipeline.run("-m", "telemetry", "doctor")
    assert done.returncode == 0, done.stdout
    states = [line.split()[0] for line in done.stdout.splitlines()[1:-1]]
    assert states == ["ok"] * 4
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


BROKEN = {
    "nothing listens": ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}, "BROKEN Collector", "make up"),
    "the wrong protocol": ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "BROKEN spans", "grpc is port 4317"),
    "a wrong setting": ({"SENTRY_TRACES_SAMPLE_RATE": "1.5"}, "BROKEN settings", "correct SENTRY_TRACES_SAMPLE_RATE"),
    "a kill switch": ({"ENABLE_METRICS": "false"}, "BROKEN metrics", "unset ENABLE_METRICS"),
    "a malformed DSN": ({"SENTRY_DSN": "https://nonsense"}, "BROKEN settings", "correct SENTRY_DSN"),
    "a store that is away": ({"TELEMETRY_PROMETHEUS_URL": "http://127.0.0.1:9"}, "BROKEN metric in", "make status"),
}


@pytest.mark.parametrize(("environ", "finding", "remedy"), BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_named_with_what_to_do(
    pipeline: Pipeline, environ: dict[str, str], finding: str, remedy: str
) -> None:
    done = pipeline.run("-m", "telemetry", "doctor", "--wait", "2", **environ)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert finding in said
    assert remedy in said
    assert "Traceback" not in done.stderr
