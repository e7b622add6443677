"""The whole SDK for `opentelemetry-instrument python -m app`: no line of the application changes.

The distro chooses our configurator, which is `telemetry.init()`, and leaves out the stock instrumentations that ours
stand in for. `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS` leaves out ours by the same names: `fastapi`, `telegram`,
`pydantic_ai`, `psycopg`, `requests`, `httpx`.

https://opentelemetry-python-contrib.readthedocs.io/en/latest/instrumentation/base/instrumentor.html
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_CONFIGURATOR

from telemetry.lifecycle import init

if TYPE_CHECKING:
    from opentelemetry.util._importlib_metadata import EntryPoint

__all__ = ["Configurator", "Distro"]

NAME = "telemetry"
REPLACED = frozenset({"fastapi", "httpx", "logging", "psycopg", "requests", "starlette"})
"""Stock instrumentations that would record once more what ours record."""


_LOADER = "opentelemetry.instrumentation.auto_instrumentation._load"
_EXPECTED = "Configuration of %s not loaded"
"""Said of opentelemetry-distro's configurator, which sentry-sdk brings along, at each start of each worker."""


class Distro(BaseDistro):  # type: ignore[misc]
    """Ours and no other: configurator, instrumentations."""

    def _configure(self, **_: Any) -> None:  # noqa: ANN401 - as the base class's
        os.environ.setdefault(OTEL_PYTHON_CONFIGURATOR, NAME)
        logging.getLogger(_LOADER).addFilter(lambda record: not str(record.msg).startswith(_EXPECTED))

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:  # noqa: ANN401 - as the base class's
        """Instrument, unless ours does it."""
        ours = entry_point.value.partition(":")[0].partition(".")[0] == NAME
        if ours or entry_point.name not in REPLACED:
            super().load_instrumentor(entry_point, **kwargs)


class Configurator:
    """Sets the SDK up."""

    def configure(self, **_: object) -> None:
        """Set up from the environment."""
        init()
