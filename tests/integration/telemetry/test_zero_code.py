"""One program with every library: the same telemetry by explicit calls, by `opentelemetry-instrument`, and by both."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from stack.settings import ROOT
from tests.conftest import clean_environment
from tests.otlp import Receiver, receiving

PROGRAM = [sys.executable, "-W", "ignore", "-m", "tests.integration.telemetry.every_library"]
ZERO_CODE = [str(Path(sys.executable).parent / "opentelemetry-instrument"), *PROGRAM]
WAYS: dict[str, tuple[list[str], dict[str, str]]] = {
    "explicit calls": (PROGRAM, {"EXPLICIT": "1"}),
    "opentelemetry-instrument": (ZERO_CODE, {}),
    "both": (ZERO_CODE, {"EXPLICIT": "1"}),
}
OF_TIME = ("process.", "event.loop.", "telemetry.", "work.", "db.pool.size", "db.connections.active")
"""Metrics whose values depend on the moment."""


async def run(way: str, database: str) -> tuple[Receiver, str]:
    command, environ = WAYS[way]
    with receiving() as receiver:
        async with serve(Pace(scale=0)) as addresses:
            environment = clean_environment() | addresses.environment() | environ | {
                "DATABASE_URL": database,
                "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
                "SENTRY_TRACES_SAMPLE_RATE": "1",
                "PYTHONPATH": os.fspath(ROOT),
            }  # fmt: skip
            known = {"user_id": 7, "username": "anna", "kind": "text", "text": "so that the chat exists"}
            async with httpx.AsyncClient() as user:
                (await user.post(f"{addresses.url('telegram')}/control/updates", json=known)).raise_for_status()
            pipe = asyncio.subprocess.PIPE
            done = await asyncio.create_subprocess_exec(*command, env=environment, cwd=ROOT, stderr=pipe)
            _, errors = await asyncio.wait_for(done.communicate(), 60)
        assert done.returncode == 0, errors.decode()
    return receiver, errors.decode()


def spans_of(receiver: Receiver) -> Counter[str]:
    """Each span as one line: its place in the trace, kind, keys."""
    named = {span.span_id: span for span in receiver.spans}

    def place(span: Any) -> str:
        parent = named.get(span.parent_span_id)
        return f"{place(parent)} > {span.name}" if parent else span.name

    return Counter(
        f"{place(span)} {span.kind} {sorted(attribute.key for attribute in span.attributes)}" for span in receiver.spans
    )


def series_of(receiver: Receiver) -> dict[str, float]:
    """The last value of each series that does not depend on the moment; of a histogram its count."""
    found: dict[str, float] = {}
    for metric in receiver.metrics:
        if metric.name.startswith(OF_TIME):
            continue
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            labels = sorted((attribute.key, attribute.value.string_value) for attribute in point.attributes)
            value = point.count if hasattr(point, "count") else point.as_int or point.as_double
            found[f"{metric.name} {labels}"] = float(value)
    return found


@pytest.fixture(scope="module")
def emitted(database: str) -> dict[str, tuple[Receiver, str]]:
    """Each way run once."""
    return {way: asyncio.run(run(way, database)) for way in WAYS}


@pytest.mark.parametrize("way", ["opentelemetry-instrument", "both"])
def test_the_spans_are_those_of_the_explicit_calls(emitted: dict[str, tuple[Receiver, str]], way: str) -> None:
    explicit = spans_of(emitted["explicit calls"][0])
    assert len(explicit) > 12
    assert spans_of(emitted[way][0]) == explicit


@pytest.mark.parametrize("way", ["opentelemetry-instrument", "both"])
def test_the_metrics_are_those_of_the_explicit_calls(emitted: dict[str, tuple[Receiver, str]], way: str) -> None:
    explicit = series_of(emitted["explicit calls"][0])
    assert len(explicit) > 40
    assert series_of(emitted[way][0]) == explicit


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_said_on_standard_error(emitted: dict[str, tuple[Receiver, str]], way: str) -> None:
    assert emitted[way][1] == ""
