"""A real Sentry-compatible server: `sentry-test` finds every kind of error there again; transactions are taken."""

from __future__ import annotations

import json
import time
from contextlib import closing
from uuid import uuid4

import pytest
from sentry_sdk.consts import EndpointType
from sentry_sdk.utils import Dsn

from telemetry._error_kinds import KINDS
from telemetry._sentry_wire import Wire
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


def test_a_sentry_behind_gunicorn_s_threads_makes_transactions_late_once_at_most(pipeline: Pipeline) -> None:
    auth = Dsn(pipeline.environ["SENTRY_DSN"]).to_auth("telemetry")
    headers = {"content-type": "application/x-sentry-envelope", "x-sentry-auth": str(auth.to_header())}
    with closing(Wire(auth.get_api_url(EndpointType.ENVELOPE), headers)) as wire:
        seconds = [took_to_post(10, wire) for _ in range(3)]
    assert seconds[-1] < 1.5  # such a server leaves all but the first of several for 2 s


def took_to_post(count: int, wire: Wire) -> float:
    start = time.monotonic()
    wire.begin([(empty_transaction(), "identity") for _ in range(count)])
    assert [status for status, _ in wire.finish()] == [200] * count
    return time.monotonic() - start


def empty_transaction() -> bytes:
    event = {"type": "transaction", "event_id": uuid4().hex, "timestamp": time.time(), "start_timestamp": time.time()}
    item = json.dumps(event | {"contexts": {"trace": {"trace_id": uuid4().hex, "span_id": uuid4().hex[:16]}}})
    return f'{{"event_id":"{event["event_id"]}"}}\n{{"type":"transaction"}}\n{item}\n'.encode()
