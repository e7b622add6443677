"""The bytes of spans: the same as the stock encoder's, for spans of every shape."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as stock
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from telemetry.encoding import encode_spans

RESOURCES = [Resource({"service.name": "a"}), Resource({"service.name": "b", "n": 1}, "https://schema")]
SCOPES = [None, InstrumentationScope("telemetry"), InstrumentationScope("x", "1.0", "https://s", {"k": "v"})]
ALPHABET = string.printable + "äöüß€漢字🙂"
NUMBERS = [0, 1, -1, 127, 128, 300, 2**31, -(2**31), 2**63 - 1, -(2**63), 2**53 + 1]


class Shapes:
    """Spans drawn at random."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret

    def text(self, most: int = 30) -> str:
        return "".join(self.chance.choices(ALPHABET, k=self.chance.randrange(most)))

    def value(self) -> Any:
        draw: list[Callable[[], Any]] = [
            self.text, lambda: self.text(400), lambda: self.chance.choice(NUMBERS), lambda: self.chance.random() < 0.5,
            lambda: self.chance.choice([0.0, -0.0, 1.5, float("inf"), -1e300, self.chance.random()]),
            lambda: tuple(self.text() for _ in range(3)), lambda: (1, 2, -3), lambda: (True, False), lambda: (0.5,),
            lambda: (), lambda: self.text().encode(),
        ]  # fmt: skip
        return self.chance.choice(draw)()

    def attributes(self) -> dict[str, Any]:
        return {self.text(12): self.value() for _ in range(self.chance.randrange(6))}

    def context(self) -> SpanContext:
        state = TraceState([("a", "1"), ("b", "2")]) if self.chance.random() < 0.3 else None
        ids = self.chance.getrandbits(128) or 1, self.chance.getrandbits(64) or 1
        return SpanContext(*ids, is_remote=self.chance.random() < 0.5, trace_flags=TraceFlags(1), trace_state=state)

    def span(self) -> ReadableSpan:
        description = self.chance.choice([None, "", "ValueError"])
        failed = Status(StatusCode.ERROR, description)
        return ReadableSpan(
            name=self.text(),
            context=self.context(),
            parent=self.context() if self.chance.random() < 0.7 else None,
            resource=self.chance.choice(RESOURCES),
            attributes=self.attributes(),
            events=[Event(self.text(), self.attributes(), self.moment()) for _ in range(self.chance.randrange(3))],
            links=[Link(self.context(), self.attributes()) for _ in range(self.chance.randrange(3))],
            kind=self.chance.choice(list(SpanKind)),
            status=self.chance.choice([Status(StatusCode.UNSET), Status(StatusCode.OK), failed]),
            start_time=self.moment(),
            end_time=self.moment(),
            instrumentation_scope=self.chance.choice(SCOPES),
        )

    def moment(self) -> int:
        return self.chance.choice([1, 1_700_000_000_000_000_000, self.chance.getrandbits(63)])


@pytest.mark.parametrize("seed", range(200))
def test_the_bytes_are_those_of_the_stock_encoder(seed: int) -> None:
    shapes = Shapes(seed)
    spans = [shapes.span() for _ in range(seed % 8)]
    assert encode_spans(spans) == stock(spans).SerializeToString()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("value", [2**63, object(), "\ud800", [object()]], ids=["too large", "object", "half", "list"])
def test_an_attribute_that_has_no_form_is_left_out_as_by_the_stock_encoder(value: Any) -> None:
    span = ReadableSpan("x", Shapes(1).context(), attributes={"good": 1, "bad": value}, resource=RESOURCES[0])
    assert encode_spans([span]) == stock([span]).SerializeToString()


def test_a_time_before_1970_is_refused() -> None:
    span = ReadableSpan("x", Shapes(1).context(), resource=RESOURCES[0], start_time=-1)
    with pytest.raises(Exception, match=r"argument out of range|int too large|0 <= number"):
        encode_spans([span])
