"""The demo's traffic, found again in every backend: counts exact, traces whole, errors linked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from telemetry.backends import Event, Sample, Trace
from telemetry.catalog import CATALOG, Metric
from tests.plan_metrics import PlannedMetric, planned_metrics
from tests.stack.conftest import Pipeline

ADDED_ON_THE_WAY = {"__name__", "job", "instance", "service_name", "deployment_environment_name", "le"}
OF_NO_TRACE = {"event_loop_lag_seconds", "telegram_messages_per_user", "telemetry_export_duration_seconds"}
"""Measured beside the requests, in none of them."""
DOCTORS = {"telemetry_doctor_checks_total"}
NOT_IN_THE_DEMO = {"agent_time_to_first_token_seconds"}
"""The health agent answers in one piece: a Telegram message is not streamed."""
FILLED = [metric for metric in CATALOG.values() if metric.prometheus not in NOT_IN_THE_DEMO]


def selector(demo: dict[str, Any]) -> str:
    """Return what selects all that a demo sent; that an alert of a busy machine fires, Prometheus says itself."""
    return f'{{instance=~"demo-{demo["run"]}-.*",alertname=""}}'


@pytest.fixture
def ask(pipeline: Pipeline, demo: dict[str, Any]) -> Callable[[str], list[Sample]]:
    """Ask Prometheus as it was when the demo had ended."""
    return partial(pipeline.prometheus.query, at=demo["ended"])


@pytest.mark.parametrize("planned", planned_metrics(), ids=lambda planned: planned.name)
def test_a_planned_metric_has_series_with_the_plans_labels_and_buckets(
    ask: Callable[[str], list[Sample]], demo: dict[str, Any], planned: PlannedMetric
) -> None:
    name = f"{planned.name}_bucket" if planned.kind == "histogram" else planned.name
    found = ask(name + selector(demo))
    assert found
    assert all(set(sample.labels) - ADDED_ON_THE_WAY == set(planned.labels) for sample in found)
    if planned.kind == "histogram":
        buckets = {sample.labels["le"] for sample in found}
        assert {float(bound) for bound in buckets} == {*planned.buckets, float("inf")}


@pytest.mark.parametrize("metric", FILLED, ids=lambda metric: metric.name)
def test_every_metric_of_the_catalog_is_filled_and_its_example_query_answers(
    pipeline: Pipeline, ask: Callable[[str], list[Sample]], metric: Metric
) -> None:
    if metric.prometheus in DOCTORS:
        assert pipeline.run("-m", "telemetry", "doctor").returncode == 0
        ask = pipeline.prometheus.query
    assert ask(metric.query), metric.query


def test_nothing_that_is_not_in_the_catalog_comes_from_the_application(
    ask: Callable[[str], list[Sample]], demo: dict[str, Any]
) -> None:
    names = {sample.labels["__name__"] for sample in ask(selector(demo))}
    suffixes = ("", "_bucket", "_count", "_sum")
    known = {metric.prometheus + suffix for metric in CATALOG.values() for suffix in suffixes}
    assert names - known == {"target_info"}


@pytest.mark.parametrize("row", ["HTTP requests", "Telegram updates", "Error events", "Tokens"])
def test_what_was_sent_has_arrived_to_the_unit(demo: dict[str, Any], row: str) -> None:
    (found,) = [entry for entry in demo["rows"] if entry["what"] == row]
    assert found["sent"] > 0
    assert found["sent"] == found["arrived"]


def test_the_sums_in_prometheus_are_what_the_generator_sent(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    sent = {entry["what"]: entry["sent"] for entry in demo["rows"]}
    ask = partial(pipeline.prometheus.scalar, at=demo["ended"])
    assert ask(f"sum(http_requests_total{selector(demo)})") == sent["HTTP requests"]
    streams = ask(f"sum(http_stream_duration_seconds_count{selector(demo)})")
    assert streams > 0
    assert ask(f"sum(http_request_duration_seconds_count{selector(demo)})") + streams == sent["HTTP requests"]
    assert ask(f"sum(telegram_messages_total{selector(demo)})") == sent["Telegram updates"]
    assert ask(f"sum(telegram_message_duration_seconds_count{selector(demo)})") == sent["Telegram updates"]


@pytest.fixture(scope="module")
def photo(pipeline: Pipeline, demo: dict[str, Any]) -> Trace:
    trace = pipeline.jaeger.trace(demo["photo_trace_id"])
    assert trace is not None
    return trace


def test_a_photo_is_one_trace_from_update_to_sql(photo: Trace) -> None:
    depth = {span.name: level for level, span in photo.walk()}
    path = ["telegram.update", "telegram.handle_photo", "vision.analyze_food", "chat gpt-4o", "POST openai"]
    assert [depth[name] for name in path] == sorted(depth[name] for name in path)
    assert depth["INSERT food_entries"] == depth["vision.analyze_food"]
    assert len(photo.roots()) == 1


def test_no_span_of_another_update_is_in_it(photo: Trace) -> None:
    assert [span.name for span in photo.roots()] == ["telegram.update"]
    assert len(photo.named("telegram.update")) == 1
    assert len({span.attributes["user.id"] for span in photo.spans if "user.id" in span.attributes}) == 1
    assert len({span.attributes["service.instance.id"] for span in photo.spans}) == 1


def test_every_update_and_request_has_a_trace_of_its_own(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    sent = {entry["what"]: entry["sent"] for entry in demo["rows"]}
    for instance, what in (("api", "HTTP requests"), ("bot", "Telegram updates")):
        tags = {"service.instance.id": demo["instances"][instance]}
        name = "telegram.update" if instance == "bot" else None
        traces = pipeline.jaeger.search("health-agent", operation=name, tags=tags, limit=2000)
        roots = [trace.roots() for trace in traces]
        assert all(len(found) == 1 for found in roots)
        if instance == "bot":
            assert len(traces) == sent[what]


def test_the_turns_of_a_chat_are_found_by_one_query(pipeline: Pipeline, demo: dict[str, Any], photo: Trace) -> None:
    (conversation,) = {span.attributes["gen_ai.conversation.id"] for span in photo.spans}
    tags = {"gen_ai.conversation.id": conversation, "service.instance.id": demo["instances"]["bot"]}
    turns = pipeline.jaeger.search("health-agent", operation="telegram.update", tags=tags, limit=200)
    assert len(turns) >= 3
    assert {span.attributes["gen_ai.conversation.id"] for turn in turns for span in turn.spans} == {conversation}
    assert len({turn.named("telegram.update")[0].attributes["user.id"] for turn in turns}) == 1


@pytest.fixture(scope="module")
def error(pipeline: Pipeline, demo: dict[str, Any]) -> Event:
    event = pipeline.sentry.find(demo["error_event_id"].replace("-", ""))
    assert event is not None
    return event


def test_a_failing_handler_is_one_event_linked_to_its_trace_and_back(pipeline: Pipeline, error: Event) -> None:
    assert error.trace_id is not None
    trace = pipeline.jaeger.trace(error.trace_id)
    assert trace is not None
    (failed,) = [span for span in trace.spans if span.span_id == error.span_id]
    assert failed.error
    assert failed.attributes["sentry.event_id"] == error.id.replace("-", "")
    assert failed.attributes["user.id"] == error.user_id
    same = [event for event in pipeline.sentry.events(error.issue_id) if event.trace_id == error.trace_id]
    assert len(same) == 1


def test_the_event_carries_user_tags_breadcrumbs_and_release(error: Event) -> None:
    assert error.user_id
    assert error.tags
    assert error.breadcrumbs
    assert error.release


def test_a_404_is_no_event(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    missing = [entry for entry in demo["rows"] if entry["what"].strip().endswith(" 404")]
    assert missing
    assert not any("HTTPException" in issue.title for issue in pipeline.sentry.issues())


HISTOGRAMS = {metric.prometheus for metric in CATALOG.values() if metric.kind == "histogram"}


@pytest.mark.parametrize("name", sorted(HISTOGRAMS - OF_NO_TRACE - NOT_IN_THE_DEMO))
def test_an_exemplar_opens_its_trace(pipeline: Pipeline, demo: dict[str, Any], name: str) -> None:
    query = {"query": f"{name}_bucket", "start": "0", "end": "9999999999"}
    found = httpx.get(f"{pipeline.prometheus.url}/api/v1/query_exemplars", params=query).json()["data"]
    trace_ids = [exemplar["labels"]["trace_id"] for series in found for exemplar in series["exemplars"]]
    assert trace_ids
    assert pipeline.jaeger.trace(trace_ids[-1]) is not None


def test_the_collectors_own_metrics_arrive_through_the_same_pipeline(pipeline: Pipeline) -> None:
    assert pipeline.prometheus.query('otelcol_exporter_queue_size{job=~".*otelcol.*"}')
    assert pipeline.prometheus.query('otelcol_exporter_queue_capacity{job=~".*otelcol.*"}')


def test_each_process_has_an_instance_of_its_own(ask: Callable[[str], list[Sample]], demo: dict[str, Any]) -> None:
    found = ask(f"count by (instance) (process_cpu_time_seconds_total{selector(demo)})")
    assert {sample.labels["instance"] for sample in found} == set(demo["instances"].values())


def test_no_token_is_in_any_trace_of_the_demo(pipeline: Pipeline, demo: dict[str, Any]) -> None:
    url = f"{pipeline.jaeger.url}/api/traces"
    text = httpx.get(url, params={"service": "health-agent", "limit": "2000", "lookback": "1h"}, timeout=60).text
    assert demo["photo_trace_id"] in text
    assert "local_bot_token" not in text
    assert "local-key" not in text
