"""`sentry-test` against a real Sentry-compatible server: every kind of error is found there again."""

from __future__ import annotations

import pytest

from telemetry._error_kinds import KINDS
from tests.stack.conftest import Pipeline


@pytest.mark.parametrize("rate", ["1", "0"], ids=["sampled", "not sampled"])
@pytest.mark.parametrize("link", ["processor", "otlp"])
def test_every_kind_of_error_is_found_in_the_server_with_all_that_belongs_to_it(
    pipeline: Pipeline, link: str, rate: str
) -> None:
    done = pipeline.run("-m", "telemetry", "sentry-test", TELEMETRY_SENTRY_LINK=link, SENTRY_TRACES_SAMPLE_RATE=rate)
    assert done.returncode == 0, done.stdout
    assert "events are looked for at http://" in " ".join(done.stdout.split())
    states = [line[24:36].strip() for line in done.stdout.splitlines() if line[24:27] == "ok "]
    assert states == ["ok"] * len(KINDS)
