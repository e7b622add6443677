"""The turns of a chat belong together, and never to another chat; feedback finds the answer it judges."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry.sdk.trace import ReadableSpan
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel
from telegram import Update
from telegram.ext import Application, ContextTypes, TypeHandler

import telemetry
from examples.health_agent.local.servers import serve
from examples.health_agent.local.service import Pace
from telemetry import _runtime
from telemetry.settings import Settings
from tests.conftest import Recorded, record
from tests.integration.telemetry.test_telegram_kinds import CHAT, USER, AnyApplication, message

Context = ContextTypes.DEFAULT_TYPE
ID = "gen_ai.conversation.id"


@pytest.fixture
async def application(recorded: Recorded) -> AsyncIterator[AnyApplication]:
    async with serve(Pace(scale=0)) as addresses:
        url = addresses.url("telegram")
        builder = Application.builder().token(addresses.environment()["TELEGRAM_BOT_TOKEN"])
        async with builder.base_url(f"{url}/bot").build() as application:
            with telemetry.instrument_telegram(application):
                yield application


async def say(application: AnyApplication, user: int, text: str = "hello") -> None:
    """Let a user write in a chat of their own."""
    told = message(text=text) | {"from": USER | {"id": user}, "chat": CHAT | {"id": user}}
    await application.process_update(Update.de_json({"update_id": 1, "message": told}, application.bot))


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def updates(recorded: Recorded) -> list[ReadableSpan]:
    return [span for span in recorded.spans if span.name == "telegram.update"]


async def test_every_span_of_a_chats_turns_has_its_conversation(
    application: AnyApplication, recorded: Recorded
) -> None:
    agent = Agent(TestModel(), name="coach")

    async def answer(_: object, __: Context) -> None:
        await agent.run("hello")

    application.add_handler(TypeHandler(Update, answer))
    with telemetry.instrument_pydantic_ai():
        for user in (1, 2, 1, 1):
            await say(application, user)
    found = [attributes(span).get(ID) for span in recorded.spans]
    assert None not in found
    assert len(set(found)) == 2
    assert len([span for span in recorded.spans if attributes(span)[ID] == found[0]]) == 3 * 4
    assert "1" not in found


async def test_no_metric_has_the_conversation(application: AnyApplication, recorded: Recorded) -> None:
    await say(application, 1)
    span = updates(recorded)[0]
    keys = {part for points in recorded.series().values() for key in points for part in key}
    assert attributes(span)[ID] not in keys


async def test_each_turn_links_to_the_one_before_of_the_same_user(
    application: AnyApplication, recorded: Recorded
) -> None:
    for user in (1, 2, 1, 2, 1):
        await say(application, user)
    turns = updates(recorded)
    linked = [[link.context.trace_id for link in turn.links] for turn in turns]
    ids = [turn.context.trace_id for turn in turns if turn.context]
    assert linked == [[], [], [ids[0]], [ids[1]], [ids[2]]]


async def test_the_link_survives_what_persistence_does_to_user_data(
    application: AnyApplication, recorded: Recorded
) -> None:
    await say(application, 1)
    stored = pickle.loads(pickle.dumps(dict(application.user_data[1])))  # noqa: S301 - as PicklePersistence does
    application.user_data[1].clear()
    application.user_data[1].update(stored)
    await say(application, 1)
    first, second = updates(recorded)
    assert first.context is not None
    assert [link.context.trace_id for link in second.links] == [first.context.trace_id]


async def test_what_one_update_leaves_behind_the_next_does_not_see(
    application: AnyApplication, recorded: Recorded
) -> None:
    seen: list[tuple[object, object]] = []

    async def careless(_: object, __: Context) -> None:
        seen.append((baggage.get_baggage("user"), context.get_value("mine")))
        context.attach(context.set_value("mine", 1, baggage.set_baggage("user", "secret")))
        telemetry.set_conversation("another")

    application.add_handler(TypeHandler(Update, careless))
    await say(application, 1)
    await say(application, 2)
    assert seen == [(None, None), (None, None)]
    first, second = updates(recorded)
    assert attributes(first)[ID] != attributes(second)[ID]
    assert context.get_value("mine") is None


async def test_feedback_opens_the_answer_a_restart_later(application: AnyApplication, recorded: Recorded) -> None:
    kept: list[str] = []

    async def answer(_: object, __: Context) -> None:
        kept.append(telemetry.feedback_data("up"))

    application.add_handler(TypeHandler(Update, answer))
    await say(application, 1)
    assert len(kept[0].encode()) <= 64
    pressed = contextvars.Context().run(telemetry.record_feedback, kept[0])
    assert pressed == "up"
    (link,) = recorded.span("feedback").links
    answered = recorded.span("telegram.answer").context
    assert answered is not None
    assert (link.context.trace_id, link.context.span_id) == (answered.trace_id, answered.span_id)
    assert recorded.metrics()["telegram.feedback"] == {("up",): 1}


@pytest.mark.parametrize("data", [None, "", "undo:1", "fb:sideways:1:2", "fb:up:zz:1", "fb:up:" + "0" * 80])
def test_another_buttons_data_is_no_feedback(recorded: Recorded, data: str | None) -> None:
    assert telemetry.record_feedback(data) is None
    assert "telegram.feedback" not in recorded.metrics()


async def test_a_stuck_handler_is_visible_while_it_runs(application: AnyApplication, recorded: Recorded) -> None:
    async def stuck(_: object, __: Context) -> None:
        await asyncio.sleep(0.3)

    application.add_handler(TypeHandler(Update, stuck))
    running = asyncio.create_task(say(application, 1))
    await asyncio.sleep(0.2)
    series = recorded.series()
    assert series["work.in.flight"]["handler", "stuck"] == 1
    assert series["work.oldest.age"]["handler", "stuck"] >= 0.15
    await running
    assert recorded.series()["work.in.flight"]["handler", "stuck"] == 0


async def test_work_that_takes_long_leaves_a_record_in_its_trace_before_it_ends() -> None:
    for recorded in record(Settings(start_record_after_seconds=0.2)):
        with telemetry.get_tracer().start_as_current_span("run") as span:
            with _runtime.current().in_flight.track("agent", "coach"), _runtime.current().in_flight.track("job", "b"):
                await asyncio.sleep(0.5)
                started = recorded.span("coach started")
                assert {span.name for span in recorded.spans} == {"coach started", "b started"}
        assert started.parent == span.get_span_context()
        assert dict(started.attributes or {}) == {"work.kind": "agent", "work.name": "coach"}


async def test_the_record_tells_whose_work_it_is() -> None:
    for recorded in record(Settings(start_record_after_seconds=0.1)):
        with telemetry.get_tracer().start_as_current_span("run"):
            telemetry.set_user_context("7")
            telemetry.set_conversation("chat")
            with _runtime.current().in_flight.track("agent", "coach"):
                await asyncio.sleep(0.3)
        started, run = attributes(recorded.span("coach started")), attributes(recorded.span("run"))
        assert (started["user.id"], started[ID]) == (run["user.id"], run[ID])


async def test_quick_work_leaves_no_record(recorded: Recorded) -> None:
    with _runtime.current().in_flight.track("agent", "coach"):
        await asyncio.sleep(0.05)
    assert recorded.spans == []


async def test_a_handler_that_blocks_the_event_loop_shows_in_its_lag(recorded: Recorded) -> None:
    with telemetry.start_runtime_collector():
        await asyncio.sleep(0.25)
        time.sleep(1)  # noqa: ASYNC251 - this is the fault
        await asyncio.sleep(0.25)
    data = recorded._reader.get_metrics_data()
    assert data is not None
    metrics = [m for r in data.resource_metrics for scope in r.scope_metrics for m in scope.metrics]
    (lag,) = [metric for metric in metrics if metric.name == "event.loop.lag"]
    assert max(point.max for point in lag.data.data_points) >= 0.9  # type: ignore[union-attr]
