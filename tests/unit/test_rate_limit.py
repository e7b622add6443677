"""The share of a rate limit that is left, from each provider's headers."""

from __future__ import annotations

import pytest

from telemetry.instrumentation._rate_limit import remaining_ratio

CASES = {
    "none": ({}, None),
    "OpenAI": ({"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "25"}, 0.25),
    "Anthropic": ({"anthropic-ratelimit-tokens-limit": "1000", "anthropic-ratelimit-tokens-remaining": "900"}, 0.9),
    "standard": ({"ratelimit-limit": "10", "ratelimit-remaining": "0"}, 0.0),
    "api.data.gov": ({"x-ratelimit-limit": "1000", "x-ratelimit-remaining": "999"}, 0.999),
    "scarcest of two": (
        {
            "x-ratelimit-limit-requests": "100",
            "x-ratelimit-remaining-requests": "90",
            "x-ratelimit-limit-tokens": "100",
            "x-ratelimit-remaining-tokens": "10",
        },
        0.1,
    ),
    "only a limit": ({"ratelimit-limit": "10"}, None),
    "not numbers": ({"ratelimit-limit": "many", "ratelimit-remaining": "few"}, None),
    "a limit of zero": ({"ratelimit-limit": "0", "ratelimit-remaining": "0"}, None),
    "NaN": ({"ratelimit-limit": "10", "ratelimit-remaining": "nan"}, None),
    "infinite": ({"ratelimit-limit": "inf", "ratelimit-remaining": "1"}, None),
    "more left than allowed": ({"ratelimit-limit": "10", "ratelimit-remaining": "20"}, 1.0),
}


@pytest.mark.parametrize(("headers", "ratio"), CASES.values(), ids=CASES.keys())
def test_the_share_left_is_read_from_the_headers(headers: dict[str, str], ratio: float | None) -> None:
    assert remaining_ratio(headers) == ratio
