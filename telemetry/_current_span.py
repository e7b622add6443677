"""The span that is current, and a block, or a function, that runs in one of its own: `start_as_current_span`.

The API's are two generators, one in the other, which take three times as long as the span does.

https://github.com/open-telemetry/opentelemetry-python/blob/v1.45.1/opentelemetry-api/src/opentelemetry/trace/__init__.py#L579
"""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from opentelemetry.context import _RUNTIME_CONTEXT, Context
from opentelemetry.trace import StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from types import TracebackType

    from opentelemetry.trace import Span

__all__ = ["CurrentSpan", "attach", "current_span", "get_current", "restore", "with_entries"]

_variable = getattr(_RUNTIME_CONTEXT, "_current_context", None)
_of = _variable if isinstance(_variable, ContextVar) else None
attach: Callable[[Context], Token[Context]] = _of.set if _of else _RUNTIME_CONTEXT.attach
get_current: Callable[[], Context] = _of.get if _of else _RUNTIME_CONTEXT.get_current
"""The API's functions of these names, for who asks often: by two calls each, these are where they end."""
_reset: Callable[[Token[Context]], None] = _of.reset if _of else _RUNTIME_CONTEXT.detach


def with_entries(entries: dict[str, object]) -> Context:
    """Return the current context with something in it: as the API's `set_value` does it for each."""
    return Context({**get_current(), **entries})


def restore(token: Token[Context]) -> None:
    """Undo `attach`, unless this is another task's context, as of a generator that is closed elsewhere.

    Then there is nothing to put back, and no reason for an error in the log, where the API's `detach` leaves one.
    """
    try:
        _reset(token)
    except ValueError:
        return


def current_span() -> Span | None:
    """Return the span that is current, for who asks often: the API's own function makes five calls for it."""
    found: Span | None = get_current().get(_SPAN_KEY)  # type: ignore[assignment]  # nobody else has the key
    return found


class CurrentSpan:
    """Starts a span when the block is entered and ends it when that is left, for each call of a decorated function."""

    __slots__ = ("_arguments", "_ends", "_records", "_sets_status", "_span", "_start", "_token")

    def __init__(
        self, start: Callable[..., Span], arguments: tuple[Any, ...], records: bool, sets_status: bool, ends: bool
    ) -> None:
        """Tell whether an error that leaves the block is recorded, whether it sets the status, and whether it ends."""
        self._start, self._arguments = start, arguments
        self._records, self._sets_status, self._ends = records, sets_status, ends

    def __enter__(self) -> Span:
        self._span = self._start(*self._arguments)
        self._token: Token[Context] = attach(with_entries({_SPAN_KEY: self._span}))
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        restore(self._token)
        if isinstance(error, Exception) and self._span.is_recording():  # a cancellation is no error
            if self._records:
                self._span.record_exception(error)
            if self._sets_status:
                self._span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
        if self._ends:
            self._span.end()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, each of whose calls is such a block."""

        def block() -> CurrentSpan:
            return CurrentSpan(self._start, self._arguments, self._records, self._sets_status, self._ends)

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function's
            with block():
                return await function(*args, **kwargs)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function's
            with block():
                return function(*args, **kwargs)

        return run_async if inspect.iscoroutinefunction(function) else run
