"""The field's ASGI middleware beside ours: the same span for the same request, but for what is left out on purpose."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from opentelemetry.instrumentation import _semconv
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

import telemetry
from tests.conftest import Recorded
from tests.integration.telemetry.test_fastapi_cases import CASES, Case, ask
from tests.integration.telemetry.web import application, serving, shop

LEFT_OUT = {
    "url.path": "holds ids of people",
    "url.query": "holds anything",
    "client.address": "tells who asked",
    "client.port": "tells who asked",
    "http.request.method_original": "is whatever a caller makes up",
}
PUT_RIGHT = {"a stream that breaks"}
"""The stock package calls it a success: the status had been sent."""
OURS = {"http.route", "sentry.event_id"}
"""The field's middleware for ASGI knows no routes, and nothing of Sentry."""


@pytest.fixture(autouse=True)
def stable_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stock package read anew which conventions it is to follow, as `init` lets it at the start."""
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    monkeypatch.setattr(_semconv._OpenTelemetrySemanticConventionStability, "_initialized", False)


async def spans(app: object, recorded: Recorded, case: Case) -> list[ReadableSpan]:
    before = len(recorded.spans)
    async with serving(app) as address:
        assert await ask(address, case) == case.status
    return [span for span in recorded.spans[before:] if span.kind is SpanKind.SERVER]


def bare() -> FastAPI:
    """Return the application, which records nothing itself."""
    return application(shop=shop(), branch=shop())


@pytest.mark.parametrize("name", [name for name in CASES if name not in PUT_RIGHT])
async def test_what_the_stock_middleware_records_is_recorded_alike(recorded: Recorded, name: str) -> None:
    case = CASES[name]
    stock = OpenTelemetryMiddleware(
        bare(), tracer_provider=recorded.runtime.tracer_provider, exclude_spans=["receive", "send"]
    )
    (theirs,) = await spans(stock, recorded, case)
    app = bare()
    with telemetry.instrument_fastapi(app):
        (ours,) = await spans(app, recorded, case)
    expected = {key: value for key, value in (theirs.attributes or {}).items() if key not in LEFT_OUT}
    # The convention has the port in an attribute of its own; the stock package has it in both.
    expected["server.address"] = str(expected["server.address"]).partition(":")[0]
    found = {key: value for key, value in (ours.attributes or {}).items() if key not in OURS}
    assert found | {"server.port": 0} == expected | {"server.port": 0}
    assert ours.status.status_code is theirs.status.status_code
    assert ours.parent == theirs.parent
