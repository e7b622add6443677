"""The share of a rate limit that is left, from each provider's headers."""

from __future__ import annotations

import random
import time

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
    "Anthropic's input tokens": (
        {"anthropic-ratelimit-input-tokens-limit": "50", "anthropic-ratelimit-input-tokens-remaining": "5"},
        0.1,
    ),
    "older draft with its policies": ({"ratelimit-limit": "10, 10;w=1, 50;w=60", "ratelimit-remaining": "5"}, 0.5),
    "newer draft": ({"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'}, 0.5),
    "newer draft, more parameters": (
        {"ratelimit": '"u";pk=:YQ==:;r=3', "ratelimit-policy": '"u";qu="content, bytes";q=4;w=60;pk=:YQ==:'},
        0.75,
    ),
    "newer draft, two policies": (
        {"ratelimit": '"burst";r=9;t=1, "day";r=10', "ratelimit-policy": '"day";q=100;w=86400, "burst";q=10;w=1'},
        0.1,
    ),
    "newer draft, spaces": ({"ratelimit": "a ; r=1 ; t=3", "ratelimit-policy": "a ;q=4"}, 0.25),
    "newer draft, no policy of that name": ({"ratelimit": '"a";r=1', "ratelimit-policy": '"b";q=4'}, None),
    "newer draft, no policy": ({"ratelimit": '"a";r=1'}, None),
    "only a limit": ({"ratelimit-limit": "10"}, None),
    "not numbers": ({"ratelimit-limit": "many", "ratelimit-remaining": "few"}, None),
    "a limit of zero": ({"ratelimit-limit": "0", "ratelimit-remaining": "0"}, None),
    "NaN": ({"ratelimit-limit": "10", "ratelimit-remaining": "nan"}, None),
    "infinite": ({"ratelimit-limit": "inf", "ratelimit-remaining": "1"}, None),
    "less than nothing left": ({"ratelimit-limit": "10", "ratelimit-remaining": "-3"}, 0.0),
    "digits of another script": ({"ratelimit-limit": "\u0661\u0660", "ratelimit-remaining": "\u0661"}, None),
    "a number of a thousand digits": ({"ratelimit-limit": "9" * 1000, "ratelimit-remaining": "1"}, None),
    "an underscore": ({"ratelimit-limit": "1_0", "ratelimit-remaining": "1"}, None),
    "more left than allowed": ({"ratelimit-limit": "10", "ratelimit-remaining": "20"}, 1.0),
}


@pytest.mark.parametrize(("headers", "ratio"), CASES.values(), ids=CASES.keys())
def test_the_share_left_is_read_from_the_headers(headers: dict[str, str], ratio: float | None) -> None:
    assert remaining_ratio(headers) == ratio


NAMES = ["ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "x-ratelimit-limit-requests"]
PIECES = [
    '"',
    "a",
    ";",
    ",",
    "r",
    "q",
    "=",
    "-",
    "1",
    "9" * 30,
    ".",
    " ",
    "\\",
    "\x00",
    "nan",
    "inf",
    "1e9",
    "\u0661",
    ";r=",
    ";q=",
]


def test_no_header_whatever_makes_it_fail_or_leave_its_bounds() -> None:
    chance = random.Random(7)  # noqa: S311 - not for secrets
    for _ in range(20_000):
        headers = {name: "".join(chance.choices(PIECES, k=chance.randint(0, 12))) for name in NAMES}
        ratio = remaining_ratio(headers)
        assert ratio is None or 0 <= ratio <= 1, headers


@pytest.mark.parametrize("piece", ['"', ";", "; ", "a ; ", '"a";', '"a";r=', "a", "1,", " ", ";r=1"])
def test_a_header_without_end_takes_no_time(piece: str) -> None:
    started = time.process_time()
    remaining_ratio(dict.fromkeys(NAMES, "a" + piece * 100_000 + '"'))
    assert time.process_time() - started < 0.2
