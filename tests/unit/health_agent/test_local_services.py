"""What the local services share, and how they read requests."""

import json
from typing import Any

import pytest

from examples.health_agent.local.anthropic import turn_of
from examples.health_agent.local.brain import Call, Turn
from examples.health_agent.local.media import jpeg, ogg, seen_on, spoken_in
from examples.health_agent.local.openai import form_files
from examples.health_agent.local.service import Ledger, Pace, RateWindow, failure_in


def test_a_photo_keeps_what_it_shows() -> None:
    plate = {"foods": [{"name": "crème brûlée"}], "confidence": 0.5}
    assert json.loads(seen_on(jpeg(plate))) == plate


def test_a_photo_has_the_size_asked_for() -> None:
    assert len(jpeg("x", size=5000)) == 5000


def test_a_voice_message_keeps_its_words() -> None:
    assert spoken_in(ogg("I ate an apple")) == "I ate an apple"


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff\xd9", b"GIF89a", b"\xff\xd8\xff\xfe\xff"])
def test_other_files_show_nothing(data: bytes) -> None:
    assert not seen_on(data)
    assert not spoken_in(data)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param("hello", None, id="nothing asked for"),
        pytest.param("hello #overloaded", 529, id="overloaded"),
        pytest.param("#servererror then #ratelimited", 429, id="the last word counts"),
    ],
)
def test_content_decides_the_failure(content: str, status: int | None) -> None:
    assert failure_in(content) == status


def test_the_pace_follows_seed_and_content() -> None:
    assert Pace(seed=1).seconds(b"x", 1.0) == Pace(seed=1).seconds(b"x", 1.0) != Pace(seed=2).seconds(b"x", 1.0)


def test_a_pace_of_scale_zero_does_not_wait() -> None:
    assert Pace(scale=0).seconds(b"x", 5.0) == 0


def test_a_rate_window_never_goes_below_zero() -> None:
    window = RateWindow(limit=2)
    assert [window.take(), window.take(), window.take()] == [1, 0, 0]


def test_a_rate_window_is_full_again_after_its_time() -> None:
    window = RateWindow(limit=5, seconds=0)
    window.take(5)
    assert window.take() == 4


def test_the_ledger_counts_by_model_and_type() -> None:
    ledger = Ledger()
    ledger.note_tokens("m", input_tokens=3, output_tokens=1)
    ledger.note_tokens("m", input_tokens=2)
    assert dict(ledger.tokens) == {"m/input_tokens": 5, "m/output_tokens": 1}


def test_tool_rounds_since_the_last_words_are_read() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "daily_totals", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": '{"entries": 2}'}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "earlier"},
        {"role": "assistant", "content": [{"type": "text", "text": "yes"}]},
        {"role": "user", "content": [{"type": "text", "text": "now"}]},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    assert turn_of(messages) == Turn("now", (((Call("daily_totals", {}), {"entries": 2}),),))


def test_a_form_is_read_by_part_name() -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="v.ogg"\r\n'
        b"Content-Type: audio/ogg\r\n\r\nOggS\x00\xff\r\n--b--\r\n"
    )
    assert form_files("multipart/form-data; boundary=b", body) == {"model": b"whisper-1", "file": b"OggS\x00\xff"}
