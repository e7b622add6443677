"""In a storm the first error of each kind is shown in full, the others are counted, and nothing grows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from telemetry._error_window import MAX_KINDS, ErrorWindow, kind_of


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def window(clock: Clock) -> ErrorWindow:
    return ErrorWindow(60, clock=clock)


def test_the_first_of_a_kind_is_full_and_the_others_point_to_it(window: ErrorWindow) -> None:
    first, *others = [window.admit("a") for _ in range(5)]
    assert (first.full, first.suppressed) == (True, 0)
    assert [(other.full, other.event_id) for other in others] == [(False, first.event_id)] * 4


def test_kinds_do_not_share_a_window(window: ErrorWindow) -> None:
    assert window.admit("a").full
    assert window.admit("b").full


def test_the_first_of_the_next_window_tells_how_many_were_suppressed(window: ErrorWindow, clock: Clock) -> None:
    first, *_ = [window.admit("a") for _ in range(5)]
    clock.now = 60.0
    second = window.admit("a")
    assert (second.full, second.suppressed) == (True, 4)
    assert second.event_id != first.event_id
    clock.now = 120.0
    assert window.admit("a").suppressed == 0


def test_past_the_most_kinds_all_others_share_one(window: ErrorWindow, clock: Clock) -> None:
    full = sum(window.admit(number).full for number in range(10 * MAX_KINDS))
    assert full == MAX_KINDS + 1
    clock.now = 60.0
    assert window.admit("new").full


def test_of_many_threads_one_is_the_first() -> None:
    window = ErrorWindow(60)
    found: list[tuple[str, bool]] = []
    threads = [threading.Thread(target=lambda: found.append(window.admit("a")[:2])) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(full for _, full in found) == 1
    assert len({event_id for event_id, _ in found}) == 1


def parse(text: str) -> None:
    json.loads(text)


def parse_elsewhere(text: str) -> None:
    json.loads(text)


def raise_from(cause: Exception) -> None:
    raise RuntimeError("failed") from cause


def raise_group(*members: Exception) -> None:
    raise ExceptionGroup("several", members)


def kind(fail: Callable[..., None], *arguments: Any) -> object:
    try:
        fail(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever the case raises
        return kind_of(error)
    raise AssertionError(fail)


ALIKE = {
    "another message": ((parse, "{"), (parse, "[1"), True),
    "raised by a library for another line of ours": ((parse, "{"), (parse_elsewhere, "{"), False),
    "another cause": ((raise_from, KeyError(1)), (raise_from, IndexError(1)), False),
    "the same cause": ((raise_from, KeyError(1)), (raise_from, KeyError(2)), True),
    "groups of the same": ((raise_group, KeyError(1)), (raise_group, KeyError(2)), True),
    "groups of others": ((raise_group, KeyError(1)), (raise_group, IndexError(1)), False),
}


@pytest.mark.parametrize(("one", "other", "alike"), ALIKE.values(), ids=ALIKE.keys())
def test_errors_are_of_one_kind_by_type_place_and_cause(
    one: tuple[Any, ...], other: tuple[Any, ...], *, alike: bool
) -> None:
    assert (kind(*one) == kind(*other)) is alike


def test_an_error_that_was_never_raised_and_a_chain_without_end_have_a_kind() -> None:
    error = ValueError()
    assert kind_of(error) == kind_of(ValueError())
    error.__cause__ = error
    assert isinstance(hash(kind_of(error)), int)
