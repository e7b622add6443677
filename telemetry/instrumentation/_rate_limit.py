"""How much of a provider's rate limit is left, from the headers of its answer.

OpenAI: `x-ratelimit-{limit,remaining}-{requests,tokens}`; Anthropic: `anthropic-ratelimit-{requests,tokens}-{limit,
remaining}`; `X-RateLimit-{Limit,Remaining}` (api.data.gov and many others); `RateLimit-{Limit,Remaining}` (IETF draft).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["remaining_ratio"]

_PAIRS = (
    ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens"),
    ("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining"),
    ("x-ratelimit-limit", "x-ratelimit-remaining"),
    ("ratelimit-limit", "ratelimit-remaining"),
)


def remaining_ratio(headers: Mapping[str, str]) -> float | None:
    """Return the scarcest limit's share left, between 0 and 1; None when no header tells."""
    ratios = [_ratio(headers.get(limit), headers.get(remaining)) for limit, remaining in _PAIRS]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _ratio(limit: str | None, remaining: str | None) -> float | None:
    try:
        whole, left = float(limit or ""), float(remaining or "")
    except ValueError:
        return None
    return min(max(left / whole, 0.0), 1.0) if 0 < whole < float("inf") and left == left else None  # noqa: PLR0124 - NaN
