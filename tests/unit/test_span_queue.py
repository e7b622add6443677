"""What becomes of each span: sent, dropped by a reason, or held; with a Collector that is away, refuses or divides."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from telemetry.accounting import NETWORK, QUEUE_FULL, REFUSED, SHUTDOWN, Account, Accounts
from telemetry.exporters import Delivery
from telemetry.settings import Settings
from telemetry.span_queue import QueueOptions, SpanQueue
from tests.conftest import Recorded
from tests.otlp import Receiver, receiving


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that is not taken is given back after half a second."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")


class Sending:
    """A queue before a Collector, and the spans given to it by name."""

    def __init__(self, url: str, **options: Any) -> None:
        self.account = Account()
        settings = Settings(otlp_endpoint=url)
        self.queue = SpanQueue(
            Delivery(settings, "traces"), self.account, QueueOptions(**{"delay_seconds": 0.05} | options)
        )
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(self.queue)
        self.numbers = itertools.count()

    def end(self, spans: int, text: str = "") -> list[str]:
        names = [f"{text}{next(self.numbers)}" for _ in range(spans)]
        for name in names:
            self.provider.get_tracer("test").start_span(name).end()
        return names

    def balance(self) -> tuple[int, int, dict[str, int], int]:
        return self.account.created, self.account.sent, dict(self.account.dropped), self.account.held


@pytest.fixture
def sending(collector: Receiver) -> Iterator[Sending]:
    found = Sending(collector.url)
    yield found
    found.queue.shutdown()


def test_all_that_is_taken_is_sent_once_in_order(sending: Sending, collector: Receiver) -> None:
    names = sending.end(1500)
    assert sending.queue.force_flush(5000)
    assert collector.took == names
    assert sending.balance() == (1500, 1500, {}, 0)


def test_a_batch_is_sent_before_the_delay_is_over(collector: Receiver) -> None:
    sending = Sending(collector.url, batch=10, delay_seconds=60.0)
    sending.end(10)
    until(lambda: sending.account.sent == 10)
    sending.queue.shutdown()


def test_what_is_not_sampled_is_not_counted(collector: Receiver) -> None:
    sending = Sending(collector.url)
    TracerProvider(ALWAYS_OFF, shutdown_on_exit=False).get_tracer("x").start_span("x").end()
    sending.provider.sampler = ALWAYS_OFF
    sending.end(3)
    sending.queue.shutdown()
    assert sending.balance() == (0, 0, {}, 0)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_be_taken_later_waits_and_is_sent_in_order(sending: Sending, collector: Receiver, status: int) -> None:
    collector.answer = lambda _: status
    names = sending.end(700)
    assert not sending.queue.force_flush(5000)
    assert sending.balance() == (700, 0, {}, 700)
    collector.answer = lambda _: 200
    names += sending.end(1)
    assert sending.queue.force_flush(5000)
    assert collector.took == names
    assert sending.balance() == (701, 701, {}, 0)


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_what_will_never_be_taken_is_dropped_and_counted(sending: Sending, collector: Receiver, status: int) -> None:
    collector.answer = lambda _: status
    names = sending.end(700)
    sending.queue.force_flush(5000)
    assert sending.balance() == (700, 0, {REFUSED: 700}, 0)
    assert collector.seen == names


@pytest.mark.parametrize("status", [400, 413])
def test_of_a_batch_only_what_cannot_be_taken_is_dropped(sending: Sending, collector: Receiver, status: int) -> None:
    collector.answer = lambda names: status if any("poison" in name for name in names) else 200
    good = sending.end(100)
    sending.end(1, "poison")
    good += sending.end(100)
    assert sending.queue.force_flush(5000)
    assert sorted(collector.took) == sorted(good)
    assert sending.balance() == (201, 200, {REFUSED: 1}, 0)


def test_an_outage_while_a_batch_is_divided_loses_nothing(sending: Sending, collector: Receiver) -> None:
    answers = iter([400, 200, 503, 503, 503, 503, 503])
    collector.answer = lambda _: next(answers, 200)
    names = sending.end(64)
    until(lambda: sending.account.sent == 64)
    assert sorted(collector.took) == sorted(names)


def test_what_can_not_be_encoded_costs_only_itself(sending: Sending, collector: Receiver) -> None:
    good = sending.end(9)
    before_1970 = -1
    sending.provider.get_tracer("test").start_span("bad", start_time=before_1970).end()
    assert sending.queue.force_flush(5000)
    assert sorted(collector.took) == sorted(good)
    assert sending.balance() == (10, 9, {REFUSED: 1}, 0)


def test_a_full_queue_drops_the_newest_and_counts_each(collector: Receiver) -> None:
    collector.answer = lambda _: 503
    sending = Sending(collector.url, size=1000, batch=512)
    names = sending.end(3000)
    assert sending.balance() == (3000, 0, {QUEUE_FULL: 2000}, 1000)
    collector.answer = lambda _: 200
    until(lambda: sending.account.held == 0)
    assert collector.took == names[:1000]
    sending.queue.shutdown()


def test_the_balance_is_exact_while_threads_record_and_the_collector_comes_and_goes(collector: Receiver) -> None:
    sending = Sending(collector.url, size=500, batch=100, delay_seconds=0.01)
    answers = itertools.cycle([200, 200, 503, 400, 500])
    collector.answer = lambda _: next(answers)
    threads = [threading.Thread(target=sending.end, args=(1000,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    collector.answer = lambda _: 200
    until(lambda: sending.account.held == 0, seconds=20)
    assert sending.account.created == 4000
    assert len(set(collector.took)) == sending.account.sent  # one may come twice: an answer that came too late
    sending.queue.shutdown()


def test_what_ends_after_the_queue_is_counted_as_dropped(collector: Receiver) -> None:
    sending = Sending(collector.url)
    sending.queue.shutdown()
    sending.end(2)
    assert sending.balance() == (2, 0, {SHUTDOWN: 2}, 0)


def test_stopping_sends_what_is_held(collector: Receiver) -> None:
    sending = Sending(collector.url, delay_seconds=60.0)
    names = sending.end(700)
    sending.queue.shutdown()
    assert collector.took == names


def test_an_outage_is_two_lines(collector: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    sending = Sending(collector.url)
    collector.answer = lambda _: 503
    with caplog.at_level(logging.WARNING, "telemetry"):
        for _ in range(4):
            sending.end(1)
            sending.queue.force_flush(5000)
        collector.answer = lambda _: 200
        sending.queue.force_flush(5000)
    said = [record.getMessage() for record in caplog.records if record.name == "telemetry"]
    assert [line.split(":")[0] for line in said] == ["Spans wait", "Spans are sent to http"]
    sending.queue.shutdown()


def test_with_grpc_what_nobody_listens_to_waits() -> None:
    account = Account()
    settings = Settings(otlp_endpoint="http://127.0.0.1:9", otlp_protocol="grpc")
    queue = SpanQueue(Delivery(settings, "traces"), account, QueueOptions(delay_seconds=60))
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(queue)
    provider.get_tracer("x").start_span("x").end()
    assert not queue.force_flush(5000)
    assert account.held == 1


def test_the_accounts_are_metrics(recorded: Recorded) -> None:
    accounts = Accounts()
    accounts.observe(recorded.runtime.instruments)
    accounts.spans.capacity = 10
    accounts.spans.create(5)
    accounts.spans.send(2)
    accounts.spans.drop(QUEUE_FULL)
    accounts.metrics.create(3)
    accounts.metrics.drop(NETWORK, 3)
    accounts.metrics.exported(0.2)
    found = {name: points for name, points in recorded.metrics().items() if name.startswith("telemetry.")}
    assert found == {
        "telemetry.created": {("metrics",): 3, ("spans",): 5},
        "telemetry.sent": {("spans",): 2},
        "telemetry.dropped": {(QUEUE_FULL, "spans"): 1, (NETWORK, "metrics"): 3},
        "telemetry.queue.size": {("spans",): 2},
        "telemetry.queue.capacity": {("spans",): 10},
        "telemetry.export.duration": {("metrics",): 1},
    }
    assert len(recorded.series()["telemetry.dropped"]) == 24


def until(check: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.01)
