"""The demo's plan and its accounting."""

import json
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from examples.health_agent.demo import arrivals, plan, summary
from examples.health_agent.demo.traffic import Sent
from telemetry.backends import Span, Trace

KINDS = {"text", "command", "photo", "voice", "other", "http"}


def flat(steps: list[plan.Step]) -> list[plan.Step]:
    return [one for step in steps for one in (step, *step.then)]


def test_the_same_seed_gives_the_same_plan() -> None:
    assert plan.make(3, 60) == plan.make(3, 60) != plan.make(4, 60)


@pytest.mark.parametrize("seconds", [1, 15, 60])
def test_every_kind_occurs_however_short_the_demo(seconds: float) -> None:
    steps = flat(plan.make(7, seconds))
    assert {step.kind for step in steps} == KINDS
    assert any(step.fails for step in steps)
    assert any(step.reported for step in steps)


def test_nothing_new_is_sent_in_the_last_seconds() -> None:
    assert max(step.at for step in plan.make(7, 60)) <= 60 - plan.QUIET_SECONDS


def test_equal_counts_are_ok() -> None:
    sent = Sent(updates=Counter({("text", "success"): 2}))
    arrived = arrivals.Arrived(updates=Counter({("text", "success"): 2}))
    rows = {row.what.strip(): row.ok for row in arrivals.compare(sent, arrivals.Ledgers(), arrived)}
    assert rows["Telegram updates"]
    assert rows["text success"]
    assert not rows["Traces of updates"]


def test_what_arrived_without_being_sent_is_not_ok() -> None:
    arrived = arrivals.Arrived(http=Counter({("GET", "/x", "200"): 1}))
    rows = arrivals.compare(Sent(), arrivals.Ledgers(), arrived)
    assert [row.what.strip() for row in rows if not row.ok] == ["HTTP requests", "GET /x 200"]


def test_a_ledger_is_read_in_the_metrics_own_labels() -> None:
    ledgers = arrivals.Ledgers()
    tokens = {"m/input_tokens": 5, "m/cache_read_input_tokens": 2, "m/output_tokens": 1, "m/cached_tokens": 9}
    ledgers.add("openai", {"calls": {"200": 3, "429": 1, "500": 1}, "tokens": tokens})
    assert ledgers.calls == {("openai", "success"): 3, ("openai", "error"): 2}
    assert ledgers.tokens == {("m", "input"): 7, ("m", "output"): 1}


def span(name: str, *, error: bool = False) -> Span:
    return Span("t", name, None, name, "health-agent", 0.0, 0.1, {}, (), error)


GOOD = ("telegram.handle_photo", "vision.analyze_food", "INSERT food_entries")


def test_a_photo_trace_has_handler_vision_and_insert() -> None:
    whole = Trace("t", tuple(span(name) for name in GOOD))
    assert arrivals.Arrived(traces=[whole]).photo_trace() is whole


@pytest.mark.parametrize("missing", GOOD)
def test_a_photo_trace_that_lacks_a_part_is_none(missing: str) -> None:
    part = Trace("t", tuple(span(name) for name in GOOD if name != missing))
    assert arrivals.Arrived(traces=[part]).photo_trace() is None


def test_a_result_says_what_differs() -> None:
    row = arrivals.Row("HTTP requests", "Prometheus", 3, 2)
    result = summary.Result("r", {}, False, [row], None, "e", "t", {}, ["the bot process ended with status 1"])
    assert result.missing == [
        "the bot process ended with status 1",
        "HTTP requests: 3 sent, 2 arrived in Prometheus",
        "no complete trace of a photo was found in Jaeger",
    ]


@pytest.mark.parametrize("tempo", [True, False])
def test_the_photos_trace_opens_in_the_trace_store_that_runs(tempo: bool) -> None:
    found = urlsplit(summary.explore_trace("http://grafana", Trace("abc", (span("x"),)), tempo=tempo))
    pane = json.loads(parse_qs(found.query)["panes"][0])["a"]
    assert pane["queries"][0]["query"] == "abc"
    assert pane["datasource"] == ("tempo" if tempo else "jaeger")
