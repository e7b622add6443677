"""Transactions made of finished spans: the same as by Sentry's processor, few held, rate limits kept."""

from __future__ import annotations

import gzip
import json
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import trustme
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags

from telemetry._http_answers import AnswerReader
from telemetry._sentry_trace_event import Facts, envelope
from telemetry._sentry_transactions import TransactionProcessor, Transactions, TransactionSender
from telemetry._sentry_wire import Answer, Wire
from telemetry._spans import LeanTracerProvider
from telemetry.accounting import NETWORK, QUEUE_FULL, RATE_LIMITED, REFUSED, Account
from telemetry.entry import REASON
from telemetry.settings import Settings
from telemetry.switches import Switches
from tests.conftest import http_server
from tests.unit.test_spans import RESOURCE

FACTS = Facts("production", "abc", "bot", "2.0")
Spans = tuple[ReadableSpan, list[ReadableSpan]]


@dataclass
class Sentry:
    """A server of envelopes, and a tracer whose transactions go there."""

    url: str
    account: Account
    sender: TransactionSender
    tracer: trace.Tracer
    bodies: list[dict[str, Any]] = field(default_factory=list)
    encodings: list[str] = field(default_factory=list)
    answer: tuple[int, dict[str, str]] = (200, {})
    delay: float = 0
    """Seconds until an answer."""

    def flush(self) -> None:
        self.sender.flush(5)


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    found: list[Sentry] = []

    class Store(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            encoding = self.headers["content-encoding"]
            found[0].encodings.append(encoding)
            text = gzip.decompress(body) if encoding == "gzip" else body
            found[0].bodies.append(json.loads(text.split(b"\n")[2]))
            time.sleep(found[0].delay)
            status, headers = found[0].answer
            self.send_response(status)
            for name, value in ({"content-length": "0"} | headers).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http_server(Store) as address:
        account = Account()
        sender = TransactionSender(f"http://{address}/api/1/envelope/", {}, FACTS, account)
        provider = LeanTracerProvider(ALWAYS_ON, RESOURCE, RandomIdGenerator())
        provider.add_span_processor(TransactionProcessor(lambda _: True, sender.put))
        found.append(Sentry(address, account, sender, provider.get_tracer("telemetry")))
        yield found[0]
        sender.close(1)


def test_a_trace_is_one_transaction_with_its_spans(sentry: Sentry) -> None:
    with sentry.tracer.start_as_current_span(
        "GET /x", kind=SpanKind.SERVER, attributes={"tag.plan": "pro", "http.route": "/x"}
    ) as root:
        root.set_attribute("user.id", "7")
        with sentry.tracer.start_as_current_span("SELECT foods", attributes={"db.system.name": "postgresql"}) as query:
            query.set_status(StatusCode.ERROR)
    sentry.flush()
    (found,) = sentry.bodies
    (span,) = found["spans"]
    assert (found["transaction"], found["tags"], found["user"]) == ("GET /x", {"plan": "pro"}, {"id": "7"})
    assert (span["op"], span["description"], span["status"]) == ("db", "SELECT foods", "internal_error")
    assert span["parent_span_id"] == found["contexts"]["trace"]["span_id"]
    assert span["trace_id"] == found["contexts"]["trace"]["trace_id"]


def test_several_are_under_way_at_once_where_the_way_is_long(sentry: Sentry) -> None:
    sentry.delay = 0.1
    for number in range(20):
        sentry.tracer.start_span(str(number)).end()
    start = time.monotonic()
    sentry.flush()
    assert time.monotonic() - start < 1.5  # one after the other take 2 s
    assert {body["transaction"] for body in sentry.bodies} == {str(number) for number in range(20)}
    assert (sentry.account.sent, sentry.account.held) == (20, 0)


def test_only_what_is_long_is_compressed(sentry: Sentry) -> None:
    sentry.tracer.start_span("short").end()
    with sentry.tracer.start_as_current_span("long"):
        for _ in range(100):
            sentry.tracer.start_span("child").end()
    sentry.flush()
    assert sentry.encodings == ["identity", "gzip"]
    assert len(sentry.bodies[1]["spans"]) == 100


def test_a_trace_waits_for_others_and_no_longer_than_a_second(sentry: Sentry) -> None:
    sentry.tracer.start_span("first").end()
    sentry.flush()
    sentry.tracer.start_span("second").end()
    time.sleep(0.05)
    assert len(sentry.bodies) == 1
    time.sleep(1.5)
    assert len(sentry.bodies) == 2


def test_many_that_wait_are_sent_at_once(sentry: Sentry) -> None:
    sentry.tracer.start_span("first").end()
    sentry.flush()
    for _ in range(100):
        sentry.tracer.start_span("x").end()
    time.sleep(0.5)
    assert len(sentry.bodies) == 101


def test_a_trace_that_goes_on_from_elsewhere_is_a_transaction_too(sentry: Sentry) -> None:
    caller = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    sentry.tracer.start_span("here", trace.set_span_in_context(trace.NonRecordingSpan(caller))).end()
    sentry.flush()
    assert sentry.bodies[0]["contexts"]["trace"]["parent_span_id"] == f"{2:016x}"


def test_a_root_that_was_left_afterwards_is_none(sentry: Sentry) -> None:
    sentry.tracer.start_span("late", attributes={REASON: "error"}).end()
    sentry.flush()
    assert sentry.bodies == []


def test_what_cannot_be_cleaned_is_not_sent(sentry: Sentry, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("cannot clean")

    monkeypatch.setattr("telemetry._sentry_trace_event.clean_name", fail)
    sentry.tracer.start_span("secret").end()
    sentry.flush()
    assert (sentry.bodies, dict(sentry.account.dropped)) == ([], {REFUSED: 1})


LIMITS: dict[str, tuple[tuple[int, dict[str, str]], bool]] = {
    "too many": ((429, {}), True),
    "too many, for a while": ((429, {"retry-after": "30"}), True),
    "of transactions": ((200, {"x-sentry-rate-limits": "60:transaction;span:organization"}), True),
    "of everything": ((200, {"x-sentry-rate-limits": "60::organization"}), True),
    "of errors": ((200, {"x-sentry-rate-limits": "60:error:organization"}), False),
    "nonsense": ((200, {"x-sentry-rate-limits": ":::,,x,"}), True),
    "a number": ((200, {"x-sentry-rate-limits": "60"}), True),
}


@pytest.mark.parametrize("name", LIMITS)
def test_sentry_says_how_much_it_wants(sentry: Sentry, name: str) -> None:
    sentry.answer, waits = LIMITS[name]
    for _ in range(3):
        sentry.tracer.start_span("x").end()
        sentry.flush()
    assert len(sentry.bodies) == (1 if waits else 3)
    assert sentry.account.dropped[RATE_LIMITED] == (3 if sentry.answer[0] == 429 else 2 if waits else 0)


def test_too_many_that_wait_are_dropped_and_counted(sentry: Sentry) -> None:
    before = sentry.account.capacity
    stuck = threading.Event()
    for wire in sentry.sender._wires:
        wire.begin = lambda *_: stuck.wait(10)  # type: ignore[method-assign,assignment]
    for _ in range(before + 200):
        sentry.tracer.start_span("x").end()
    assert sentry.account.dropped[QUEUE_FULL] == 200
    stuck.set()


def test_nobody_there_is_counted_and_raises_nothing(sentry: Sentry) -> None:
    sentry.sender._wires = [Wire("http://127.0.0.1:9/", {})]
    sentry.tracer.start_span("x").end()
    sentry.flush()
    assert dict(sentry.account.dropped) == {NETWORK: 1}


def test_traces_and_spans_that_never_end_are_not_held_for_ever() -> None:
    handed: list[Spans] = []
    processor = TransactionProcessor(lambda _: True, lambda found: handed.append((found[0], list(found[1]))))
    provider = LeanTracerProvider(ALWAYS_ON, RESOURCE, RandomIdGenerator())
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("telemetry")
    for _ in range(3000):
        with trace.use_span(tracer.start_span("never ends")):
            tracer.start_span("child").end()
    with tracer.start_as_current_span("wide"):
        for _ in range(1500):
            tracer.start_span("child").end()
    assert len(processor._open) <= 2000
    assert len(handed[0][1]) == 1000


def test_a_trace_that_sentry_does_not_keep_costs_one_question() -> None:
    settings = Settings(sentry_dsn="http://key@127.0.0.1:9/1", traces_sampler="always_on", sentry_sample_rate=0.0)
    transactions = Transactions(settings, Switches(), account := Account())
    provider = LeanTracerProvider(ALWAYS_ON, RESOURCE, RandomIdGenerator())
    provider.add_span_processor(transactions.processor)
    provider.get_tracer("telemetry").start_span("x").end()
    assert account.created == 0


def test_a_time_is_written_to_the_microsecond() -> None:
    provider = LeanTracerProvider(ALWAYS_ON, RESOURCE, RandomIdGenerator())
    span = provider.get_tracer("telemetry").start_span("x", start_time=1_700_000_000_123_456_789)
    span.end(1_700_000_001_000_000_000)
    assert isinstance(span, ReadableSpan)
    found = json.loads(envelope((span, []), FACTS)[0].split(b"\n")[2])
    assert (found["start_timestamp"], found["timestamp"]) == (
        "2023-11-14T22:13:20.123457Z", "2023-11-14T22:13:21.000000Z",
    )  # fmt: skip


def test_names_and_values_are_what_they_were_whatever_is_in_them(sentry: Sentry) -> None:
    odd = 'say "hi"\n\\ \u00fc \ud800 {x}'
    with sentry.tracer.start_as_current_span(odd, attributes={"tag.plan": odd, "user.id": odd, "server.address": odd}):
        sentry.tracer.start_span(odd, attributes={"gen_ai.operation.name": odd, "server.port": 2}).end()
    sentry.flush()
    (found,) = sentry.bodies
    (span,) = found["spans"]
    assert (found["transaction"], found["tags"]["plan"], found["user"]["id"]) == (odd, odd, odd)
    assert (span["description"], span["op"], span["data"]["server.port"]) == (odd, f"gen_ai.{odd}", 2)


@contextmanager
def conversing(*connections: list[bytes], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """Read before each of a connection's answers, and close it after the last; gives the address and what was read.

    `<wait>` divides an answer in pieces.
    """
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for answers in connections:
                plain, _ = server.accept()
                with tls.wrap_socket(plain, server_side=True) if tls else plain as connection:
                    for answer in answers:
                        heard.append(connection.recv(65536))
                        for piece in answer.split(b"<wait>"):
                            connection.sendall(piece)
                            time.sleep(0.02)

        threading.Thread(target=serve, daemon=True).start()
        yield f"{'https' if tls else 'http'}://localhost:{server.getsockname()[1]}/", heard


@contextmanager
def answering(*answers: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Give one answer a connection."""
    with conversing(*([answer] for answer in answers), tls=tls) as (url, _):
        yield url


def post(wire: Wire, body: bytes) -> Answer:
    wire.begin([(body, "identity")])
    (answer,) = wire.finish()
    return answer


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
CLOSES = b"HTTP/1.1 200 OK\r\nConnection: close\r\ncontent-length: 0\r\n\r\n"
BROKEN = {"no HTTP": b"hello\r\n\r\n", "broken off": b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "nothing": b""}


LIMITED = b"HTTP/1.1 200 OK\r\nX-Sentry-Rate-Limits: 60:transaction\r\n"
ANSWERS = {
    "whole": LIMITED + b"Content-Length: 2\r\n\r\n{}",
    "in two pieces": LIMITED + b"Content-Length: 2\r\n<wait>\r\n{}",
    "its body later": LIMITED + b"Content-Length: 2\r\n\r\n<wait>{}",
    "in chunks": LIMITED + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n<wait>1\r\n}\r\n0\r\n\r\n",
    "after an interim one": b"HTTP/1.1 100 Continue\r\n\r\n<wait>" + LIMITED + b"Content-Length: 0\r\n\r\n",
    "until it is closed": LIMITED + b"Connection: close\r\n\r\n<wait>{}",
    "of HTTP/1.0": LIMITED.replace(b"1.1", b"1.0") + b"Content-Length: 2\r\n\r\n{}",
}  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_however_it_comes(answer: bytes) -> None:
    with answering(answer, OK) as url, closing(Wire(url, {})) as wire:
        status, headers = post(wire, b"a")
        assert (status, headers["x-sentry-rate-limits"]) == (200, "60:transaction")
        assert post(wire, b"b")[0] == 200


def test_a_connection_is_kept_for_the_next_request_and_given_up_where_an_answer_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections = queue.SimpleQueue[int]()

        def serve() -> None:
            for number, answers in enumerate([[OK, OK], [CLOSES], [OK]]):
                connection, _ = server.accept()
                with connection:
                    for answer in answers:
                        connection.recv(65536)
                        connections.put(number)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        with closing(Wire(f"http://127.0.0.1:{server.getsockname()[1]}/", {})) as wire:
            for _ in range(2):
                post(wire, b"a")
            wire.close()
            for _ in range(2):
                post(wire, b"a")
        assert [connections.get(timeout=5) for _ in range(4)] == [0, 0, 1, 2]


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n\r\n"
MANY: dict[str, list[list[bytes]]] = {
    "all in one piece": [[OK, OK * 4]],
    "one by one": [[OK, b"<wait>".join([OK] * 4)]],
    "cut anywhere": [[OK, OK[:20] + b"<wait>" + OK[20:] + OK[:36] + b"<wait>" + OK[36:] + OK * 2]],
    "others among them": [[OK, CHUNKED + OK + CHUNKED + OK]],
    "the connection ends with the third": [[OK, OK + CLOSES], [OK, OK]],
    "the connection ends, unsaid": [[OK, OK], [OK, OK, OK]],
    "the connection ends, in an answer": [[OK, OK + OK[:20]], [OK, OK, OK]],
    "the connection ends with each": [[CLOSES]] * 5,
    "the connection ends with each, unsaid": [[OK]] * 5,
}
"""What a server answers to five requests, by connection: to the first of each, and to what comes after it."""


@pytest.mark.parametrize("connections", MANY.values(), ids=MANY)
def test_many_are_written_at_once_and_each_has_its_answer(connections: list[list[bytes]]) -> None:
    with conversing(*connections) as (url, heard), closing(Wire(url, {})) as wire:
        wire.begin([(b"<%d>" % number, "identity") for number in range(5)])
        assert [status for status, _ in wire.finish()] == [200] * 5
    assert set(re.findall(b"<.>", b"".join(heard))) == {b"<%d>" % number for number in range(5)}
    assert len(re.findall(b"<.>", heard[0])) == 1  # of a connection that nobody knows yet


@pytest.mark.parametrize("cut", range(1, len(OK)))
def test_an_answer_that_is_cut_anywhere_is_read_to_its_end_and_the_next_one_after_it(cut: int) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(2)
        answers = AnswerReader(ours)
        theirs.sendall(OK[:cut])
        rest = threading.Timer(0.005, theirs.sendall, [OK[cut:] + OK])
        rest.start()
        assert [answers.next()[0] for _ in range(2)] == [200, 200]
        assert answers.all_read
        rest.join()


def test_a_server_that_answers_only_the_first_of_several_is_asked_one_at_a_time_from_then_on() -> None:
    slow = OK + b"<wait>" * 60  # 1.2 s, as gunicorn's threads wait for a request that they have read already
    with conversing([OK, slow], [OK, OK, OK, OK]) as (url, heard), closing(Wire(url, {})) as wire:
        wire.begin([(b"<x>", "identity")] * 5)
        assert [status for status, _ in wire.finish()] == [200] * 5
        assert wire.room == 1
        assert post(wire, b"<y>")[0] == 200
    assert [len(re.findall(b"<.>", said)) for said in heard] == [1, 4, 1, 1, 1, 1]


def test_a_connection_that_was_closed_meanwhile_says_nothing_about_requests_at_once() -> None:
    with conversing([OK], [OK, OK * 2]) as (url, _), closing(Wire(url, {})) as wire:
        post(wire, b"a")
        time.sleep(0.1)
        wire.begin([(b"b", "identity")] * 3)
        assert [status for status, _ in wire.finish()] == [200] * 3
        assert wire.room > 1


def test_what_has_no_answer_on_a_new_connection_either_is_an_error_after_the_others_answers() -> None:
    statuses = []
    with conversing([OK, OK], [b""]) as (url, _), closing(Wire(url, {})) as wire:
        wire.begin([(b"x", "identity")] * 5)
        with pytest.raises((OSError, HTTPException)):  # noqa: PT012 - what came before it counts
            for status, _ in wire.finish():
                statuses.append(status)
        assert wire.room == 1
    assert statuses == [200, 200]


def test_answers_that_nobody_read_are_not_those_to_the_next_requests() -> None:
    with conversing([OK, OK.replace(b"200", b"400") * 2], [OK]) as (url, _), closing(Wire(url, {})) as wire:
        post(wire, b"a")
        wire.begin([(b"b", "identity")] * 2)
        time.sleep(0.05)
        assert post(wire, b"c")[0] == 200


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_is_none_is_an_error_and_the_next_request_has_a_new_connection(answer: bytes) -> None:
    with answering(answer, OK) as url, closing(Wire(url, {})) as wire:
        with pytest.raises((OSError, HTTPException)):
            post(wire, b"a")
        assert post(wire, b"b")[0] == 200


def test_a_connection_that_the_other_side_has_closed_is_opened_anew() -> None:
    with answering(OK, OK) as url, closing(Wire(url, {})) as wire:
        post(wire, b"a")
        time.sleep(0.05)
        assert post(wire, b"b")[0] == 200


def test_over_tls_it_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setattr("certifi.where", lambda: str(tmp_path / "ca.pem"))
    with answering(OK, OK, tls=context) as url, closing(Wire(url, {})) as wire:
        assert post(wire, b"a" * 10_000)[0] == 200
        assert post(wire, b"b")[0] == 200


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("telemetry._sentry_wire._SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with closing(Wire(f"http://127.0.0.1:{silent.getsockname()[1]}/", {})) as wire, pytest.raises(OSError):  # noqa: PT011 - any
            post(wire, b"a")
        assert 0.9 < time.monotonic() - start < 3
