"""What stands in for `_agent_spans` where pydantic-ai has moved what that reads: it then opens its own spans."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

__all__ = ["RunSpans", "takes_over"]


def takes_over(settings: object) -> bool:
    """Leave it to pydantic-ai."""
    del settings
    return False


class RunSpans(AbstractContextManager["RunSpans"]):
    """None of ours."""

    counted: AbstractContextManager[None] = nullcontext()

    def __init__(self, *of: object) -> None:
        """Take what the real one takes."""

    def __exit__(self, *_: object) -> None:
        """End nothing."""

    async def attach(self, run: Any) -> None:  # noqa: ANN401 - any run
        """Open nothing."""
