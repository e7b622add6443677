"""`trace` finds a trace by any of its names and prints it; Tempo is a server on loopback that speaks OTLP's JSON."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry import backends, otlp_json, trace_tree
from telemetry.cli import main
from telemetry.stored_traces import Span, Trace
from telemetry.trace_command import trace_id_of
from telemetry.trace_tree import View
from tests.conftest import http_server

TRACE, OTHER, EVENT = "4bf92f3577b34da6a3ce929d0e0e4736", "ab" * 16, "0af7651916cd43dd8448eb211c80319c"


def stored() -> dict[str, Any]:
    """A trace as Tempo answers: a root whose parent is not there, and a failed child with an error in Sentry."""
    ended = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "bot"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ended))
    tracer = provider.get_tracer("t")
    link = trace.Link(trace.SpanContext(int(OTHER, 16), 5, is_remote=True))
    caller = trace.SpanContext(int(TRACE, 16), 0xDEAD, is_remote=True, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(caller)):
        with tracer.start_as_current_span("telegram.handle_photo", links=[link]):
            with tracer.start_as_current_span("POST \x1b[31mopenai\x1b[0m " + "x" * 90) as call:
                call.set_attribute("sentry.event_id", EVENT)
                call.set_attribute("tokens", 12)
                call.record_exception(TimeoutError("nobody answers"))
                call.set_status(trace.StatusCode.ERROR, "TimeoutError")
    encoded = MessageToDict(encode_spans(ended.get_finished_spans()))
    return {"batches": encoded["resourceSpans"]}


class Tempo(BaseHTTPRequestHandler):
    """Has one trace, and finds it by the id of its error; answers otherwise where that is prepared."""

    answer: ClassVar[dict[str, Any]] = {}
    instead: ClassVar[tuple[int, bytes] | None] = None

    def do_GET(self) -> None:
        if self.instead:
            self._answer(*self.instead)
            return
        url = urlsplit(self.path)
        found: dict[str, Any] | None = self.answer if url.path == f"/api/traces/{TRACE}" else None
        if url.path == "/api/search":
            asked = parse_qs(url.query)["q"] == [f'{{ span.sentry.event_id = "{EVENT}" }}']
            found = {"traces": [{"traceID": TRACE}] if asked else []}
        self._answer(404 if found is None else 200, json.dumps(found or {}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def tempo(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Tempo, "answer", stored())
    for name in ("TELEMETRY_JAEGER_URL", "SENTRY_EVENT_URL"):
        monkeypatch.delenv(name, raising=False)
    with http_server(Tempo) as address:
        monkeypatch.setenv("TELEMETRY_TEMPO_URL", f"http://{address}")
        monkeypatch.setenv("TELEMETRY_SENTRY_URL", "http://sentry:8000")
        yield f"http://{address}"


NAMES = {
    "a trace id": TRACE,
    "in upper case": TRACE.upper(),
    "a traceparent": f"00-{TRACE}-00f067aa0ba902b7-01",
    "the header as a log shows it": f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01",
    "sentry-trace": f"{TRACE}-00f067aa0ba902b7-1",
    "the id of an error in Sentry": EVENT,
    "that id as Sentry's pages write it": "0af76519-16cd-43dd-8448-eb211c80319c",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_a_trace_is_found_by(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", name]) == 0
    assert f"trace {TRACE}" in capsys.readouterr().out


def test_the_tree_shows_times_errors_links_and_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    main(["trace", TRACE])
    said = capsys.readouterr().out
    assert re.search(r"^ +0\.0 +[\d.]+  telegram.handle_photo \[bot\]$", said, re.MULTILINE)
    assert re.search(r"^ +[\d.]+ +[\d.]+    ! POST \?\[31mopenai", said, re.MULTILINE)
    assert "2 spans, 1 error" in said
    assert "error: TimeoutError" in said
    assert "in Sentry: http://sentry:8000/issues/event/0af76519-16cd-43dd-8448-eb211c80319c" in " ".join(said.split())
    assert f"linked to trace {OTHER}" in said
    assert "telegram.handle_photo: its parent 000000000000dead is not stored" in said


def test_the_tree_fits_80_columns_without_colour_or_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    main(["trace", TRACE])
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if len(line) > 80 and "http://" not in line] == []
    assert "\x1b" not in said


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)], ids=["a terminal", "NO_COLOR"])
def test_errors_are_red_on(
    no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    main(["trace", TRACE])
    assert ("\x1b[31m" in capsys.readouterr().out) is coloured


def test_json_has_the_same_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", TRACE, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    root, call = found["spans"]
    assert (root["depth"], call["depth"], root["parent_missing"], call["parent_missing"]) == (0, 1, True, False)
    assert (call["status"], call["error_type"]) == ("error", "TimeoutError")
    assert (call["attributes"]["tokens"], root["links"]) == (12, [OTHER])
    assert 0 <= call["duration"] <= root["duration"] < 5


WRONG = {
    "too short": ("4bf92f", 2, 'got "4bf92f", 6 characters'),
    "no digits of an id": ("z" * 32, 2, "32 hexadecimal digits"),
    "all zero": ("0" * 32, 2, "not all zero"),
    "a control character": ("\x1b[31m", 2, 'got "?[31m"'),
    "not stored": ("1" * 32, 1, "may not have been sampled"),
}


@pytest.mark.parametrize(("name", "code", "says"), WRONG.values(), ids=WRONG.keys())
def test_what_is_no_trace_is_told_with_an_exit_code(
    name: str, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", name]) == code
    captured = capsys.readouterr()
    assert says in " ".join(captured.err.split())
    assert captured.out == ""
    assert max(map(len, captured.err.splitlines())) <= 80


def test_a_store_that_does_not_answer_is_named_and_the_other_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELEMETRY_JAEGER_URL", "http://127.0.0.1:9")
    assert main(["trace", TRACE]) == 0
    captured = capsys.readouterr()
    assert "Jaeger at http://127.0.0.1:9 does not answer" in captured.err
    assert "from Tempo" in captured.out


class Jaeger(BaseHTTPRequestHandler):
    """Has seven traces of one error, a second apart, the last two of one moment; gives the newest of them."""

    moments: ClassVar[list[int]] = [100, 101, 102, 103, 104, 105, 105]
    began: ClassVar[int] = int((time.time() - 1000) * 1e6)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path != "/api/traces":
            self.send_error(404)
            return
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        start, end = (int(asked[name]) for name in ("start", "end"))
        moments = [(self.began + moment * 10**6, number) for number, moment in enumerate(self.moments)]
        newest = sorted((one for one in moments if start <= one[0] <= end), reverse=True)[: int(asked["limit"])]
        body = json.dumps({"data": [self._trace(*one) for one in newest]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def _trace(start: int, number: int) -> dict[str, Any]:
        trace_id = f"{number + 1:032x}"
        span = {"traceID": trace_id, "spanID": "a" * 16, "operationName": "GET /", "processID": "p", "startTime": start}
        return {"traceID": trace_id, "spans": [span | {"duration": 5}], "processes": {"p": {"serviceName": "bot"}}}

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 500])
def test_of_an_errors_many_traces_the_first_is_shown(
    at_once: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(backends, "_OLDEST_TRACES", at_once)
    monkeypatch.delenv("TELEMETRY_TEMPO_URL")
    with http_server(Jaeger) as address:
        monkeypatch.setenv("TELEMETRY_JAEGER_URL", f"http://{address}")
        assert main(["trace", EVENT]) == 0
    assert f"trace {1:032x}" in capsys.readouterr().out


STRANGE = {
    "an error": ((500, b"oops"), "answers 500."),
    "no permission": ((401, b""), "answers 401."),
    "a page": ((200, b"<html>welcome</html>"), "is it another server's address?"),
    "another JSON": ((200, b"[1, 2]"), "is it another server's address?"),
    "spans without ids": (
        (200, b'{"batches": [{"scopeSpans": [{"spans": [{}]}]}]}'),
        "not to be understood (KeyError)",
    ),
}


@pytest.mark.parametrize(("answer", "says"), STRANGE.values(), ids=STRANGE.keys())
def test_a_store_that_answers_strangely_is_named_with(
    answer: tuple[int, bytes], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Tempo, "instead", answer)
    assert main(["trace", TRACE]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert says in " ".join(captured.err.split())
    assert "not found where an answer came" in " ".join(captured.err.split())
    assert max(map(len, captured.err.splitlines())) <= 80


@pytest.mark.parametrize("answer", [b"{}", b'{"batches": []}'], ids=["nothing", "no spans"])
def test_a_store_that_is_empty_says_that_it_has_no_such_trace(
    answer: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Tempo, "instead", (200, answer))
    assert main(["trace", TRACE]) == 1
    assert "is not stored" in capsys.readouterr().err


def a_span(number: int, parent: int | None, name: str = "step") -> Span:
    return Span(
        trace_id=TRACE, span_id=f"{number:016x}", parent_id=None if parent is None else f"{parent:016x}", name=name,
        service="bot", start=float(number), duration=1.0, attributes={}, links=(), error=False,
    )  # fmt: skip


def test_a_chain_of_5000_spans_fits_80_columns_and_takes_no_recursion() -> None:
    chain = Trace.of(TRACE, [a_span(number, number - 1 if number > 1 else None) for number in range(1, 5001)])
    lines = trace_tree.plain(chain, View("Jaeger")).splitlines()
    assert len(lines) == 5000 + 4
    assert max(map(len, lines)) <= 80


def test_a_span_that_is_stored_twice_has_its_children_once() -> None:
    twice = Trace.of(
        TRACE, [a_span(1, None, "root"), a_span(1, None, "root"), a_span(2, 1), a_span(3, 2), a_span(3, 2)]
    )
    assert [(depth, span.name) for depth, span in twice.walk()] == [
        (0, "root"),
        (1, "step"),
        (2, "step"),
        (2, "step"),
        (0, "root"),
    ]


def test_spans_of_several_missing_parents_are_each_shown_and_named() -> None:
    said = trace_tree.plain(Trace.of(TRACE, [a_span(5, 1, "a"), a_span(6, 2, "b"), a_span(7, 6, "c")]), View("Jaeger"))
    assert re.findall(r"^\? (\w): its parent (\d+) is not stored$", said, re.MULTILINE) == [
        ("a", f"{1:016}"),
        ("b", f"{2:016}"),
    ]
    assert re.findall(r"^ +[\d.,]+ +[\d.,]+  ( *\w)", said, re.MULTILINE) == ["a", "b", "  c"]


def test_of_many_missing_parents_some_are_named_and_the_others_counted() -> None:
    said = trace_tree.plain(Trace.of(TRACE, [a_span(number, 2000 + number) for number in range(1200)]), View("Jaeger"))
    assert said.count("is not stored\n") == 10
    assert "? 1,190 more\n" in said


def test_without_a_store_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TELEMETRY_TEMPO_URL")
    assert main(["trace", TRACE]) == 1
    assert "TELEMETRY_JAEGER_URL" in capsys.readouterr().err


def test_otlps_own_json_is_read_as_tempos() -> None:
    """Ids in hexadecimal, statuses as numbers, and the second version's wrapper."""
    span = {
        "traceId": TRACE.upper(), "spanId": "00f067aa0ba902b7", "name": "x", "startTimeUnixNano": "1000000000",
        "endTimeUnixNano": "3000000000", "status": {"code": 2, "message": "Gone"},
    }  # fmt: skip
    found = otlp_json.trace({"trace": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}})
    assert found is not None
    (read,) = found.spans
    assert (read.trace_id, read.span_id, read.parent_id) == (TRACE, "00f067aa0ba902b7", None)
    assert (read.error, read.error_type, read.start, read.duration, read.service) == (True, "Gone", 1.0, 2.0, "unknown")


def test_an_answer_without_spans_is_no_trace() -> None:
    assert otlp_json.trace({"batches": []}) is None


def test_an_id_is_taken_as_it_is_copied() -> None:
    assert trace_id_of(f"  {TRACE}\n") == TRACE
