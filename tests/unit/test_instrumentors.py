"""What `opentelemetry-instrument` loads records the same as the explicit calls, and once where both are there."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

import psycopg
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from psycopg_pool import ConnectionPool
from telegram.ext import Application

from telemetry import instrument_fastapi, instrument_pool
from telemetry._distro import REPLACED, Distro
from telemetry._instrumentors import FastAPIInstrumentor, PsycopgInstrumentor, TelegramInstrumentor
from telemetry.instrumentation.telegram import is_instrumented
from tests.conftest import Recorded

OURS = [entry for entry in entry_points(group="opentelemetry_instrumentor") if entry.value.startswith("telemetry.")]


@pytest.fixture
def watched() -> Iterator[None]:
    """Watch for new applications, bots and pools."""
    instrumentors = [FastAPIInstrumentor(), PsycopgInstrumentor(), TelegramInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument()
    yield
    for instrumentor in instrumentors:
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()


def request_of(app: FastAPI) -> None:
    app.get("/ping")(lambda: "pong")
    assert TestClient(app).get("/ping").status_code == 200


def test_a_new_application_is_recorded(recorded: Recorded, watched: None) -> None:
    request_of(FastAPI())
    assert [span.name for span in recorded.spans] == ["GET /ping"]
    assert recorded.metrics()["http.requests"] == {("/ping", "GET", "200"): 1}


def test_an_application_that_is_instrumented_by_hand_as_well_is_recorded_once(
    recorded: Recorded, watched: None
) -> None:
    app = FastAPI()
    instrument_fastapi(app)
    instrument_fastapi(app)
    request_of(app)
    assert [span.name for span in recorded.spans] == ["GET /ping"]
    assert recorded.metrics()["http.requests"] == {("/ping", "GET", "200"): 1}


def test_after_uninstrument_a_new_application_is_not_recorded(recorded: Recorded, watched: None) -> None:
    FastAPIInstrumentor().uninstrument()
    request_of(FastAPI())
    assert recorded.spans == []


def test_uninstrument_undoes_what_was_done_to_objects_made_meanwhile(recorded: Recorded, watched: None) -> None:
    app = FastAPI()
    pool = ConnectionPool("host=nowhere", min_size=1, open=False)
    assert is_recording()
    assert recorded.metrics()["db.pool.max"] == {(): 1}
    FastAPIInstrumentor().uninstrument()
    PsycopgInstrumentor().uninstrument()
    request_of(app)
    assert recorded.spans == []
    assert "getconn" not in vars(pool)
    assert not is_recording()


def is_recording() -> bool:
    """Tell whether psycopg's cursors are ours now."""
    return hasattr(psycopg.Cursor.execute, "__wrapped__")


def test_one_of_two_handles_closed_leaves_the_application_recorded(recorded: Recorded) -> None:
    app = FastAPI()
    first, second = instrument_fastapi(app), instrument_fastapi(app)
    first.close()
    request_of(app)
    assert [span.name for span in recorded.spans] == ["GET /ping"]
    second.close()
    app.middleware_stack = None
    assert TestClient(app).get("/ping").status_code == 200
    assert len(recorded.spans) == 1


def test_a_new_pool_reports_its_numbers_once(recorded: Recorded, watched: None) -> None:
    pool = ConnectionPool("host=nowhere", min_size=1, max_size=7, open=False)
    handle = instrument_pool(pool)
    assert recorded.metrics()["db.pool.max"] == {(): 7}
    handle.close()


async def test_a_bot_is_recorded_from_its_start(recorded: Recorded, watched: None) -> None:
    application = Application.builder().token("1:A").base_url("http://127.0.0.1:9/bot").build()
    assert not is_instrumented(application)
    with pytest.raises(Exception, match="connect"):
        await application.initialize()
    assert is_instrumented(application)


def test_the_stock_instrumentation_that_ours_replaces_is_left_out() -> None:
    stock_package = pytest.importorskip("opentelemetry.instrumentation.psycopg")
    stock = [entry for entry in entry_points(group="opentelemetry_instrumentor", name="psycopg") if entry not in OURS]
    for entry in stock:
        Distro().load_instrumentor(entry)
    assert stock
    assert not stock_package.PsycopgInstrumentor().is_instrumented_by_opentelemetry


def test_each_of_ours_can_be_disabled_by_the_name_the_stock_one_has() -> None:
    assert {entry.name for entry in OURS} >= REPLACED - {"logging", "starlette"}
