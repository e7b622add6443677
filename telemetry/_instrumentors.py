"""The same instrumentations for `opentelemetry-instrument`: each waits for what it is to record, and records it once.

An application, a bot or a pool exists only when the program has made it, so its class is watched for new ones. What the
program instruments itself as well is recorded once all the same.

https://opentelemetry-python-contrib.readthedocs.io/en/latest/instrumentation/base/instrumentor.html
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from telemetry.instrumentation import fastapi, http_clients, psycopg, pydantic_ai, telegram
from telemetry.instrumentation._handle import Handle, patch_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

__all__ = [
    "FastAPIInstrumentor",
    "HTTPXInstrumentor",
    "PsycopgInstrumentor",
    "PydanticAIInstrumentor",
    "RequestsInstrumentor",
    "TelegramInstrumentor",
]


class _Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Instruments where the library is installed, and is quiet where it is not."""

    packages: tuple[str, ...] = ()

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return none: a missing library is no conflict."""
        return ()

    def start(self) -> Handle:
        """Instrument."""
        raise NotImplementedError

    def _instrument(self, **_: Any) -> None:  # noqa: ANN401 - as the base class's
        installed = all(find_spec(package) for package in self.packages)
        self._handle = self.start() if installed else Handle()

    def _uninstrument(self, **_: Any) -> None:  # noqa: ANN401 - as the base class's
        self._handle.close()


class FastAPIInstrumentor(_Instrumentor):
    """Every FastAPI application that is made from now on."""

    packages = ("fastapi",)

    def start(self) -> Handle:
        """Watch for new applications."""
        from fastapi import FastAPI  # noqa: PLC0415 - optional package

        made = _Made(fastapi.instrument_fastapi)
        return Handle(made.close, patch_all((FastAPI, "__init__", made.wrap_init)))


class TelegramInstrumentor(_Instrumentor):
    """Every application of python-telegram-bot, when it is started with its handlers."""

    packages = ("telegram",)

    def start(self) -> Handle:
        """Watch for applications that start."""
        from telegram.ext import Application  # noqa: PLC0415 - optional package

        made = _Made(telegram.instrument_telegram)
        return Handle(made.close, patch_all((Application, "initialize", made.wrap_initialize)))


class PsycopgInstrumentor(_Instrumentor):
    """Every query of psycopg, and every pool that is made from now on."""

    packages = ("psycopg",)

    def start(self) -> Handle:
        """Record queries, and watch for new pools."""
        queries = psycopg.instrument_psycopg()
        if find_spec("psycopg_pool") is None:
            return queries
        from psycopg_pool import AsyncConnectionPool, ConnectionPool  # noqa: PLC0415 - optional package

        made = _Made(psycopg.instrument_pool)
        classes = patch_all(
            (ConnectionPool, "__init__", made.wrap_init), (AsyncConnectionPool, "__init__", made.wrap_init)
        )
        return Handle(queries.close, made.close, classes)


class PydanticAIInstrumentor(_Instrumentor):
    """Every agent run."""

    packages = ("pydantic_ai",)

    def start(self) -> Handle:
        """Record agent runs."""
        return pydantic_ai.instrument_pydantic_ai()


class RequestsInstrumentor(_Instrumentor):
    """Every call made with requests."""

    packages = ("requests",)

    def start(self) -> Handle:
        """Record calls."""
        return http_clients.instrument_requests()


class HTTPXInstrumentor(_Instrumentor):
    """Every call made with httpx."""

    packages = ("httpx",)

    def start(self) -> Handle:
        """Record calls."""
        return http_clients.instrument_httpx()


class _Made:
    """Instruments each new object of a class, and undoes it for all of them."""

    def __init__(self, instrument: Callable[[Any], Handle]) -> None:
        self._instrument = instrument
        self._handles: list[Handle] = []

    def wrap_init(self, initialise: Callable[..., None]) -> Callable[..., None]:
        def initialise_and_instrument(made: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - any library's
            initialise(made, *args, **kwargs)
            self._handles.append(self._instrument(made))

        return initialise_and_instrument

    def wrap_initialize(self, initialize: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def instrument_and_initialize(application: Any) -> None:  # noqa: ANN401 - generic in six types
            if not telegram.is_instrumented(application):
                self._handles.append(self._instrument(application))
            await initialize(application)

        return instrument_and_initialize

    def close(self) -> None:
        for handle in self._handles:
            handle.close()
        self._handles.clear()
