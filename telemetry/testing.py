"""For tests of an application: what it recorded, as a tree, as numbers, as events. A pytest plugin.

    def test_the_work_is_counted(telemetry_capture):
        ...
        assert telemetry_capture.outline() == "work"

    def test_nothing_of_it_leaves(telemetry_privacy):
        answer(telemetry_privacy.plant("the message"))

The fixtures `telemetry_capture` and `telemetry_privacy` are there wherever this package is installed beside pytest. Ids
count from 1, and the clock stands still until `telemetry_capture.clock.advance(seconds)`. Nothing is sent, and the
environment is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from telemetry._capture import Capture, CountingIds, SpanNode
from telemetry._captured_errors import CapturedErrors
from telemetry._fake_clock import FakeClock
from telemetry._privacy import Privacy

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Capture",
    "CapturedErrors",
    "CountingIds",
    "FakeClock",
    "Privacy",
    "SpanNode",
    "telemetry_capture",
    "telemetry_privacy",
]


@pytest.fixture
def telemetry_capture() -> Iterator[Capture]:
    """Record everything in memory for the length of one test; a failure of this package raises."""
    with Capture(ids=CountingIds()) as capture:
        capture.clock.install()
        yield capture


@pytest.fixture
def telemetry_privacy() -> Iterator[Privacy]:
    """Record everything in memory, and fail at the test's end if a string it has planted would have left."""
    with Capture() as capture:
        privacy = Privacy(capture)
        yield privacy
        if leaks := privacy.leaks():
            pytest.fail(f"what was planted would leave the process: {'; '.join(leaks)}")
