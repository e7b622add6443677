"""How much of a provider's rate limit is left, from the headers of its answer.

OpenAI: `x-ratelimit-{limit,remaining}-{requests,tokens}`; Anthropic: `anthropic-ratelimit-requests-{limit,remaining}`
and the same of `tokens`, `input-tokens`, `output-tokens`; api.data.gov and others: `X-RateLimit-{Limit,Remaining}`; the
IETF draft: older, `RateLimit-{Limit,Remaining}`, and newer, `RateLimit: "a";r=5` with `RateLimit-Policy: "a";q=10`.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["remaining_ratio"]

_PAIRS = (
    *((f"x-ratelimit-limit-{what}", f"x-ratelimit-remaining-{what}") for what in ("requests", "tokens")),
    *(
        (f"anthropic-ratelimit-{what}-limit", f"anthropic-ratelimit-{what}-remaining")
        for what in ("requests", "tokens", "input-tokens", "output-tokens")
    ),
    ("x-ratelimit-limit", "x-ratelimit-remaining"),
    ("ratelimit-limit", "ratelimit-remaining"),
)
_LONGEST = 1000
_NUMBER = re.compile(r"\s*(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)\s*(?:[,;]|$)")
_ITEM = re.compile(r"""\s*("[^"\\]*"|[\w*-]+)\s*((?:;[^,;"]*(?:"[^"\\]*")?)*)(?:,|$)""")
_PARAMETER = re.compile(r";\s*([rq])=([^;]*)")


def remaining_ratio(headers: Mapping[str, str]) -> float | None:
    """Return the scarcest limit's share left, between 0 and 1; None when no header tells."""
    ratios = [_ratio(headers.get(limit), headers.get(remaining)) for limit, remaining in _PAIRS]
    limits = dict(_parameters(headers.get("ratelimit-policy"), "q"))
    ratios += [_ratio(limits.get(name), left) for name, left in _parameters(headers.get("ratelimit"), "r")]
    return min((ratio for ratio in ratios if ratio is not None), default=None)


def _parameters(header: str | None, wanted: str) -> Iterator[tuple[str, str]]:
    """Give each policy's name and one of its parameters, up to the first that cannot be read."""
    text, position = (header or "")[:_LONGEST], 0
    while item := _ITEM.match(text, position):
        for key, value in _PARAMETER.findall(item[2]):
            if key == wanted:
                yield item[1], value
        position = item.end()


def _ratio(limit: str | None, remaining: str | None) -> float | None:
    whole, left = _number(limit), _number(remaining)
    return None if whole is None or left is None or whole <= 0 else min(max(left / whole, 0.0), 1.0)


def _number(text: str | None) -> float | None:
    """Read the first number of a header; the older draft lists its policies after it."""
    found = _NUMBER.match((text or "")[:_LONGEST])
    return float(found[1]) if found else None
