"""A photo's analysis: its span, its duration, how sure the model was."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from opentelemetry.trace import StatusCode, get_current_span

import telemetry
from telemetry.instrumentation.vision import confidence_level
from tests.conftest import Recorded


@pytest.mark.parametrize(
    ("confidence", "level"),
    [(1.0, "high"), (0.8, "high"), (0.79, "medium"), (0.5, "medium"), (0.49, "low"), (0, "low")],
)
def test_a_confidence_has_a_level(confidence: float, level: str) -> None:
    assert confidence_level(confidence) == level


def test_an_analysis_leaves_a_span_with_its_result(recorded: Recorded) -> None:
    with telemetry.food_photo_analysis(model="gpt-4o") as analysis:
        with telemetry.get_tracer().start_as_current_span("model call"):
            analysis.result(confidence=0.9, food_count=2)
    span = recorded.span("vision.analyze_food")
    assert dict(span.attributes or {}) == {"model": "gpt-4o", "confidence": 0.9, "food_count": 2}
    inner = recorded.span("model call").parent
    assert inner is not None
    assert span.context is not None
    assert inner.span_id == span.context.span_id
    assert recorded.metrics()["food.photos.analyzed"] == {("high",): 1}
    assert recorded.metrics()["food.photo.processing.duration"] == {(): 1}


def test_a_failed_analysis_counts_an_error_and_no_photo(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="unreadable"), telemetry.food_photo_analysis(model="gpt-4o"):
        raise ValueError("unreadable")
    assert recorded.span("vision.analyze_food").status.status_code is StatusCode.ERROR
    metrics = recorded.metrics()
    assert "food.photos.analyzed" not in metrics
    assert metrics["errors"] == {("vision", "ValueError"): 1}
    assert metrics["food.photo.processing.duration"] == {(): 1}
    assert not get_current_span().get_span_context().is_valid


@dataclass
class Plate:
    confidence: float
    foods: list[str]


async def test_as_a_decorator_it_reads_what_the_function_returns(recorded: Recorded) -> None:
    @telemetry.food_photo_analysis(model="gpt-4o")
    def look(confidence: float) -> Plate:
        return Plate(confidence, ["soup", "bread"])

    @telemetry.food_photo_analysis(model="gpt-4o")
    async def look_async(confidence: float) -> Plate:
        return Plate(confidence, ["soup"])

    assert look(0.9).foods == ["soup", "bread"]
    assert look(0.6).confidence == 0.6
    assert (await look_async(0.1)).foods == ["soup"]
    assert [dict(span.attributes or {})["food_count"] for span in recorded.spans] == [2, 2, 1]
    assert recorded.metrics()["food.photos.analyzed"] == {("high",): 1, ("medium",): 1, ("low",): 1}


async def test_it_works_with_async_with(recorded: Recorded) -> None:
    async with telemetry.food_photo_analysis(model="gpt-4o") as analysis:
        analysis.result(confidence=1.0, food_count=0)
    assert recorded.metrics()["food.photos.analyzed"] == {("high",): 1}
