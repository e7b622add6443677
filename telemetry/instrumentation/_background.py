"""Background tasks of Starlette and FastAPI: what runs after the answer is a trace of its own, linked to the request.

The request's span has ended by then, and a child that starts after its parent's end is shown nowhere sensible. The new
trace is recorded as any other: by its own decision, and whenever it fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace

from telemetry._current_entry import current_entry
from telemetry.context import capture_error, count_error
from telemetry.entry import Root, root_span
from telemetry.instrumentation._handle import Shared, patch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.background import BackgroundTask

__all__ = ["background_tasks"]


def _wrap(run: Callable[[BackgroundTask], Awaitable[None]]) -> Callable[..., Any]:
    async def run_observed(task: BackgroundTask) -> None:
        if current_entry.get() is None:
            return await run(task)
        request = trace.get_current_span().get_span_context()
        name = getattr(task.func, "__name__", type(task.func).__name__)
        links = [trace.Link(request)] if request.is_valid else []
        with root_span(Root(f"background {name}", links=links)):
            try:
                return await run(task)
            except Exception as error:
                count_error(error, "api")
                capture_error(error)
                raise

    return run_observed


def _start() -> Callable[[], None]:
    from starlette.background import BackgroundTask  # noqa: PLC0415 - optional package

    return patch(BackgroundTask, "__call__", _wrap)


background_tasks = Shared(_start)
