"""The public surface is what `__all__` says, and imports nothing slow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import telemetry
from telemetry._extras import MissingExtraError, require

SLOW = ("pydantic_ai", "fastapi", "telegram", "psycopg", "sentry_sdk", "grpc", "httpx", "requests")


def test_all_is_sorted_and_complete() -> None:
    assert list(telemetry.__all__) == sorted(telemetry.__all__)
    assert all(getattr(telemetry, name).__doc__ for name in telemetry.__all__)


def test_the_package_is_typed() -> None:
    assert (Path(telemetry.__file__).parent / "py.typed").exists()


def test_importing_loads_no_framework() -> None:
    code = f"import sys, telemetry; print([m for m in {SLOW!r} if m in sys.modules])"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout  # noqa: S603
    assert output.strip() == "[]"


def test_a_missing_package_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingExtraError, match="nothing_there") as caught:
        require("nothing_there.module", feature="instrument_nothing", extra="nothing")
    assert str(caught.value) == (
        'instrument_nothing needs the package nothing_there: pip install "health-agent-telemetry[nothing]"'
    )
