"""For tests of an application: what it recorded, as a tree, as numbers, as events. A pytest plugin.

    def test_the_work_is_counted(telemetry_capture):
        ...
        assert telemetry_capture.outline() == "work"

The fixture `telemetry_capture` is there wherever this package is installed beside pytest. Ids count from 1, and the
clock stands still until `telemetry_capture.clock.advance(seconds)`. Nothing is sent, and the environment is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry._capture import Capture, CountingIds, SpanNode
from telemetry._captured_errors import CapturedErrors
from telemetry._fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Capture", "CapturedErrors", "CountingIds", "FakeClock", "SpanNode", "telemetry_capture"]


@pytest.fixture
def telemetry_capture() -> Iterator[Capture]:
    """Record everything in memory for the length of one test; a failure of this package raises."""
    with Capture(ids=CountingIds()) as capture:
        capture.clock.install()
        yield capture
