"""A session of requests that remembers what the Collector answered: the SDK's exporter tells only that it failed.

What a first request would import is imported with it. A process that forks while its exporter's thread is in the middle
of an import leaves the module's lock to the child, in which every export then waits for it, for ever.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - of an address with a name
import netrc  # noqa: F401 - which requests reads for each request
from typing import Any

import requests

__all__ = ["Answers"]


class Answers(requests.Session):
    """Counts how often it was asked and keeps the last status, 0 where there was no answer."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__()
        self.asked: int = 0
        self.status: int = 0

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        """Send, and note the answer."""
        self.asked, self.status = self.asked + 1, 0
        response = super().send(request, **kwargs)
        self.status = response.status_code
        return response
