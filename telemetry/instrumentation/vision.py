"""Food photo analysis: the span `vision.analyze_food`, how long it took, and how sure the model was.

Spans: `vision.analyze_food` with `model`, `confidence`, `food_count`. Metrics: `food_photos_analyzed_total` for each
analysis that gave a result, `food_photo_processing_duration_seconds` for each. Never recorded: the photo, its name, the
foods.
"""

from __future__ import annotations

import functools
import inspect
import time
from typing import TYPE_CHECKING, ParamSpec, Self, TypeVar

from opentelemetry import trace

from telemetry import catalog
from telemetry._guard import Guard
from telemetry._runtime import current
from telemetry.context import count_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sized
    from contextlib import AbstractContextManager
    from types import TracebackType

__all__ = ["FoodPhotoAnalysis", "confidence_level", "food_photo_analysis"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

HIGH, MEDIUM = 0.8, 0.5
_measuring = Guard("measure a photo analysis")


def confidence_level(confidence: float) -> str:
    """Name a confidence between 0 and 1: high from 0.8, medium from 0.5, else low."""
    return "high" if confidence >= HIGH else "medium" if confidence >= MEDIUM else "low"


def food_photo_analysis(*, model: str) -> FoodPhotoAnalysis:
    """Measure the analysis of a photo by `model`.

    With `with` or `async with`, report what was found by `result`. As a decorator of a function or a coroutine
    function, it is read from what that returns: `confidence`, and `food_count` or the length of `foods`.
    """
    return FoodPhotoAnalysis(model)


class FoodPhotoAnalysis:
    """One analysis under way."""

    def __init__(self, model: str) -> None:
        """Nothing starts before `with`."""
        self._model = model
        self._confidence: float | None = None
        self._start = 0.0
        self._span: trace.Span = trace.INVALID_SPAN
        self._current: AbstractContextManager[object] | None = None

    def result(self, *, confidence: float, food_count: int) -> None:
        """Report what the model found: its confidence between 0 and 1, and how many foods."""
        with _measuring:
            self._confidence = confidence
            self._span.set_attribute("confidence", confidence)
            self._span.set_attribute("food_count", food_count)

    def __call__(self, analyze: Callable[P, R]) -> Callable[P, R]:
        """Measure each call of `analyze` as an analysis of its own."""
        if inspect.iscoroutinefunction(analyze):
            return self._measuring_async(analyze)  # type: ignore[return-value]

        @functools.wraps(analyze)
        def analyze_measured(*args: P.args, **kwargs: P.kwargs) -> R:
            with FoodPhotoAnalysis(self._model) as analysis:
                found = analyze(*args, **kwargs)
                analysis._read(found)
                return found

        return analyze_measured

    def _measuring_async(self, analyze: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        @functools.wraps(analyze)
        async def analyze_measured(*args: P.args, **kwargs: P.kwargs) -> T:
            with FoodPhotoAnalysis(self._model) as analysis:
                found = await analyze(*args, **kwargs)
                analysis._read(found)
                return found

        return analyze_measured

    def _read(self, found: object) -> None:
        with _measuring:
            confidence = getattr(found, "confidence", None)
            if confidence is not None:
                foods: Sized = getattr(found, "foods", ())
                self.result(confidence=confidence, food_count=getattr(found, "food_count", len(foods)))

    async def __aenter__(self) -> Self:
        """Start the span and the clock."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the span, record the duration, count the photo or the error."""
        self.__exit__(kind, error, traceback)

    def __enter__(self) -> Self:
        """Start the span and the clock."""
        self._start = time.perf_counter()
        with _measuring:
            self._span = current().tracer.start_span("vision.analyze_food", attributes={"model": self._model})
            self._current = trace.use_span(self._span, record_exception=False, set_status_on_exception=False)
            self._current.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the span, record the duration, count the photo or the error."""
        with _measuring:
            instruments = current().instruments
            instruments.record(catalog.FOOD_PHOTO_DURATION, time.perf_counter() - self._start)
            if isinstance(error, Exception):
                count_error(error, "vision")
                self._span.set_status(trace.StatusCode.ERROR, type(error).__name__)
            elif self._confidence is not None:
                level = confidence_level(self._confidence)
                instruments.add(catalog.FOOD_PHOTOS, 1, {"confidence_level": level})
            if self._current is not None:
                self._current.__exit__(None, None, None)
            self._span.end()
