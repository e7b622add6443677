"""For tests of an application: strings to plant in its input, and where of its telemetry they turn up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from telemetry.sentinels import Sentinels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry._capture import Capture

__all__ = ["Privacy"]


class Privacy(Sentinels):
    """`plant("the message")` gives a string for the test to put there; `leaks()` tells where it would leave."""

    def __init__(self, capture: Capture) -> None:
        """Look in what `capture` has recorded."""
        super().__init__()
        self.capture: Capture = capture

    def leaks(self) -> list[str]:
        """Return each find: what was planted, in which span, in the metrics, in which error."""
        return [f"{what} in {place}" for place, data in self._leaving() for what in self.found_in(data)]

    def _leaving(self) -> Iterator[tuple[str, bytes]]:
        for number, span in enumerate(self.capture.spans, 1):
            yield f"span {number} of {len(self.capture.spans)}", span.to_json().encode()
        yield (
            "metrics",
            json.dumps([[name, *key] for name, keys in self.capture.series().items() for key in keys]).encode(),
        )
        for number, event in enumerate(self.capture.events, 1):
            yield f"error {number}", json.dumps(event, default=str).encode()
