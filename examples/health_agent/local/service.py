"""What the local services share: pace, rate limits, failures asked for by content, a ledger of their answers."""

import asyncio
import hashlib
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse

__all__ = ["FAILURES", "Ledger", "Pace", "RateWindow", "failure_in", "tokens_of"]

FAILURES = {"#overloaded": 529, "#ratelimited": 429, "#servererror": 500}
"""Words in a message, a photo's comment or a search that make a provider fail, and the status it answers."""
_FAILURE = re.compile("|".join(FAILURES))


def failure_in(content: str) -> int | None:
    """Return the status that a word in `content` asks for, or None."""
    found = _FAILURE.findall(content)
    return FAILURES[found[-1]] if found else None


def tokens_of(text: str) -> int:
    """Estimate the tokens of a text, four characters each."""
    return len(text) // 4 + 1


@dataclass(frozen=True)
class Pace:
    """How long answers take: log-normal around a median, the same for the same seed and content."""

    seed: int = 0
    scale: float = 1.0

    def seconds(self, content: bytes, median: float) -> float:
        """Return the delay for a request body."""
        digest = hashlib.blake2b(content, digest_size=8).hexdigest()
        chance = random.Random(f"{self.seed}:{digest}")  # noqa: S311  a delay is no secret
        return self.scale * median * chance.lognormvariate(0, 0.35)

    async def wait(self, content: bytes, median: float) -> None:
        """Wait as long as the real service might."""
        await asyncio.sleep(self.seconds(content, median))


@dataclass
class RateWindow:
    """A limit per time window; what is left goes into response headers."""

    limit: int
    seconds: float = 60.0
    used: int = 0
    started: float = field(default_factory=time.monotonic)

    def take(self, amount: int = 1) -> int:
        """Use up `amount` and return what is left, never below 0."""
        if time.monotonic() - self.started >= self.seconds:
            self.started, self.used = time.monotonic(), 0
        self.used += amount
        return max(0, self.limit - self.used)

    @property
    def resets_in(self) -> float:
        """Seconds until the whole limit is there again."""
        return max(0.0, self.seconds - (time.monotonic() - self.started))


@dataclass
class Ledger:
    """What a service answered: calls by status, tokens by model and type. The truth that metrics are compared to."""

    calls: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)

    def note(self, status: int) -> None:
        """Count an answer."""
        self.calls[str(status)] += 1

    def note_tokens(self, model: str, **amounts: int) -> None:
        """Count the tokens of an answer by type."""
        for kind, amount in amounts.items():
            self.tokens[f"{model}/{kind}"] += amount

    async def show(self, _request: Request) -> JSONResponse:
        """Answer the counts so far."""
        return JSONResponse({"calls": self.calls, "tokens": self.tokens})
