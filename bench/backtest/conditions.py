"""What the service has to live with in one tick; without an incident, the small failures of every day."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Conditions", "Slot"]

Slot = tuple[str, int]
"""A process's place: `("api", 0)`."""


@dataclass
class Conditions:
    """Shares are of 1, factors of the usual, rates a second."""

    requests_factor: float = 1.0
    messages_factor: float = 1.0
    not_found: float = 0.0
    api_failing: float = 0.001
    bot_failing: float = 0.003
    request_fails: bool = False
    """One more than usual does."""
    message_fails: bool = False
    bot_stuck: bool = False
    """It lives, and gets no message."""
    provider_failing: float = 0.005
    requests_slower: float = 1.0
    answers_slower: float = 1.0
    answers_stuck: float = 0.0
    """Share of the messages whose answer takes half a minute."""
    queries_slower: float = 1.0
    slow_queries: float = 0.0
    calls_factor: float = 1.0
    limit_left: float | None = None
    """Share of the provider's rate limit; none: as usual."""
    usd: float = 0.0
    blocked: float = 0.0
    """Share of the event loop's rounds that are two seconds late."""
    leaked: float = 0.0
    """Share of the first API process's pool that is not given back."""
    down: set[Slot] = field(default_factory=set)
    more_processes: int = 0
    keeps_name: bool = False
    """Whether what starts again has the `service.instance.id` of before."""
    skew: float = 0.0
    """Seconds that the first API process's clock is ahead."""
    script: bool = False
    collector: bool = True
    jaeger: bool = True
    spans_wait: bool = False
    """Whether some have waited for their store since the last tick."""
    queue: float = 0.0
    lost: float = 0.0
    refused: float = 0.0
    written: bool = True
    """Whether samples reach Prometheus at once; else when the way is free again."""
    evaluated: bool = True
