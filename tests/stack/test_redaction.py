"""The Collector cleans what the SDK would have, whoever sends it: the same corpus, every field it can reach."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from stack import redaction, settings
from tests.otlp import items
from tests.stack.lone_collector import LoneCollector, lone_collector
from tests.stack.stack_helpers import eventually

CORPUS = yaml.safe_load((Path(__file__).parents[1] / "data" / "redaction.yaml").read_text())
SECRETS: dict[str, dict[str, str]] = CORPUS["secrets"]
WORDS = "I have diabetes, my name is Anna"
STACK = f'Traceback (most recent call last):\n  File "/app/a.py", line 3, in f\n    fail(text)\nValueError: {WORDS}\n'
CLEAN_STACK = STACK.partition("ValueError")[0]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneCollector]:
    with lone_collector(tmp_path_factory.mktemp("collector")) as running:
        yield running


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """OTLP's JSON of attributes."""
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", list: "arrayValue"}
    return [{"key": key, "value": {kinds[type(value)]: _value(value)}} for key, value in values.items()]


def _value(value: Any) -> Any:
    return {"values": [{"stringValue": item} for item in value]} if isinstance(value, list) else value


def trace(span: dict[str, Any], resource: dict[str, Any], scope: dict[str, Any]) -> dict[str, Any]:
    """One span as OTLP's JSON."""
    now = str(time.time_ns())
    ids = {"traceId": "1" * 32, "spanId": "2" * 16, "kind": 1, "startTimeUnixNano": now, "endTimeUnixNano": now}
    spans = [{"scope": scope, "spans": [ids | span]}]
    return {"resourceSpans": [{"resource": {"attributes": attributes(resource)}, "scopeSpans": spans}]}


def through(
    collector: LoneCollector, span: dict[str, Any], resource: dict[str, Any] | None = None, scope: Any = None
) -> ExportTraceServiceRequest:
    """What becomes of a span on its way."""
    collector.sink.received.clear()
    answer = collector.send("traces", trace(span, resource or {"service.name": "app"}, scope or {"name": "app"}))
    answer.raise_for_status()
    (request,) = eventually(lambda: collector.sink.of("/v1/traces"))
    found: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(request.body)
    return found


def strings(attributes: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in attributes}


def test_the_configuration_is_that_of_the_sdk() -> None:
    assert redaction.drift(settings.ROOT) == []


def test_every_secret_is_masked_wherever_it_stands(collector: LoneCollector) -> None:
    texts = {f"tag.{number}": case["text"] for number, case in enumerate(SECRETS.values())}
    lists = {f"tag.list{number}": [case["text"]] for number, case in enumerate(SECRETS.values())}
    events = [{"name": "exception", "attributes": attributes({"model": case["text"]})} for case in SECRETS.values()]
    span = {"name": "work", "attributes": attributes(texts | lists), "events": events}
    found = through(collector, span, {"service.name": "app", "service.version": SECRETS["an AWS key"]["text"]})
    data = found.SerializeToString()
    assert len(items(found)[0].attributes) == 2 * len(SECRETS)
    assert [name for name, case in SECRETS.items() if case["hidden"].encode() in data] == []


@pytest.mark.parametrize("case", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_in_a_spans_name_is_masked(collector: LoneCollector, case: dict[str, str]) -> None:
    (span,) = items(through(collector, {"name": f"call {case['text']}"}))
    assert case["hidden"] not in span.name


def test_what_only_looks_like_a_secret_passes(collector: LoneCollector) -> None:
    sent = {f"tag.{number}": text for number, text in enumerate(CORPUS["harmless"])}
    (span,) = items(through(collector, {"name": "work", "attributes": attributes(sent)}))
    assert strings(span.attributes) == sent


def test_nothing_says_what_a_user_wrote_but_what_the_sdk_would_leave(collector: LoneCollector) -> None:
    error = {"exception.type": "ValueError", "exception.message": WORDS, "exception.stacktrace": STACK, "note": WORDS}
    sent: dict[str, Any] = {
        "name": "GET /users/anna", "status": {"code": 2, "message": f"ValueError: {WORDS}"}, "traceState": "a=anna",
        "attributes": attributes({
            "http.request.method": "GET", "url.path": "/users/anna", "gen_ai.input.messages": WORDS, "note": WORDS,
            "url.full": "https://u:anna@h.org:8/v1/diabetes?q=diabetes#Anna", "gen_ai.usage.input_tokens": 7,
        }),
        "events": [{"name": WORDS}, {"name": "exception", "attributes": attributes(error)}],
    }  # fmt: skip
    found = through(
        collector, sent, {"service.name": "app", "host.name": "annas-laptop"},
        {"name": "app", "attributes": attributes({"owner": WORDS})},
    )  # fmt: skip
    data = found.SerializeToString().lower()
    assert (b"diabetes" in data, b"anna" in data) == (False, False)
    (span,) = items(found)
    assert (span.name, span.status.message, [event.name for event in span.events]) == (
        "GET", "ValueError", ["[redacted]", "exception"],
    )  # fmt: skip
    kept = {"http.request.method": "GET", "url.full": "https://h.org:8", "gen_ai.usage.input_tokens": 7}
    assert strings(span.attributes) == kept


def test_what_the_sdk_has_cleaned_passes_as_it_is(collector: LoneCollector) -> None:
    kept = {
        "http.request.method": "POST", "http.route": "/users/{id}", "url.full": "https://h.org/v1/*",
        "error.type": "json.decoder.JSONDecodeError", "tag.plan": "pro", "food_count": 2, "sentry.suppressed": True,
    }  # fmt: skip
    error = {"exception.type": "ValueError", "exception.stacktrace": CLEAN_STACK}
    event = {"name": "exception", "attributes": attributes(error)}
    status = {"code": 2, "message": "json.decoder.JSONDecodeError"}
    sent = {"name": "POST /users/{id}", "attributes": attributes(kept), "status": status, "events": [event]}
    (span,) = items(through(collector, sent))
    assert (span.name, span.status.message) == (sent["name"], status["message"])
    assert (strings(span.attributes), strings(span.events[0].attributes)) == (kept, error)


NAMES = {
    "/users/anna": "[redacted]", "read /home/anna": "read", "SELECT food_entries": "SELECT food_entries",
    "chat gpt-4o": "chat gpt-4o", "n" * 1000: "n" * 128,
}  # fmt: skip


@pytest.mark.parametrize(("name", "left"), NAMES.items(), ids=[name[:20] for name in NAMES])
def test_a_span_keeps_of_its_name(collector: LoneCollector, name: str, left: str) -> None:
    (span,) = items(through(collector, {"name": name}))
    assert span.name == left


def metric(labels: dict[str, Any], exemplar: dict[str, Any]) -> dict[str, Any]:
    """One counter as OTLP's JSON."""
    now = time.time_ns()
    seen = {"timeUnixNano": str(now), "asInt": "1", "filteredAttributes": attributes(exemplar)}
    point = {"asInt": "7", "timeUnixNano": str(now), "attributes": attributes(labels), "exemplars": [seen]}
    found = {"name": "requests", "sum": {"dataPoints": [point], "aggregationTemporality": 2, "isMonotonic": True}}
    resource = {"attributes": attributes({"service.name": "app", "host.name": "annas-laptop"})}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [found]}]}]}


def test_a_label_that_nobody_knows_is_a_hash_and_keeps_its_series_apart(collector: LoneCollector) -> None:
    token = SECRETS["a bot token alone"]["text"]
    for said in ("diabetes", "cancer"):
        collector.send("metrics", metric({"endpoint": token, "status": "200", "said": said}, {"note": WORDS}))
    eventually(lambda: collector.metrics_out().count(b"requests_total") == 2)
    data = collector.metrics_out()
    assert (b"requests_total" in data, b"200" in data, b"said" in data) == (True, True, True)
    for text in ("diabetes", "cancer", "anna", token, WORDS):
        assert text.encode() not in data.lower()


def test_labels_of_an_application_pass_where_they_are_named(tmp_path: Path) -> None:
    with lone_collector(
        tmp_path, COLLECTOR_ALLOWED_ATTRIBUTES="shop|said", COLLECTOR_URL_QUERY_KEYS="page|limit"
    ) as collector:
        collector.send("metrics", metric({"said": "yes"}, {}))
        eventually(lambda: b"requests_total" in collector.metrics_out())
        assert b"\x04said\x12\x03yes" in collector.metrics_out()
        (span,) = items(through(collector, {"name": "work", "attributes": attributes({"shop": "a", "note": "b"})}))
        assert strings(span.attributes) == {"shop": "a"}
        for query, kept in {"?page=2&limit=7": "?page=2&limit=7", "?page=2&q=diabetes": ""}.items():
            (span,) = items(
                through(collector, {"name": "w", "attributes": attributes({"url.full": f"http://h{query}"})})
            )
            assert strings(span.attributes) == {"url.full": f"http://h{kept}"}


def test_what_exceptions_say_passes_where_a_developer_wants_it(tmp_path: Path) -> None:
    error = {"exception.message": WORDS, "exception.stacktrace": STACK}
    event = {"name": "exception", "attributes": attributes(error)}
    with lone_collector(tmp_path, COLLECTOR_EXCEPTION_MESSAGES="true") as collector:
        (span,) = items(through(collector, {"name": "work", "events": [event]}))
        assert strings(span.events[0].attributes) == error
