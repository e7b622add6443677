"""A library is changed while somebody wants it and put back exactly, in whatever order the handles close."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from telemetry.instrumentation._handle import Handle, Shared, patch, patch_all


class Library:
    def greet(self) -> str:
        return "hello"

    def part(self) -> str:
        return "bye"


def louder(method: Callable[..., str]) -> Callable[..., str]:
    return lambda self: method(self).upper()


def test_a_patch_is_put_back() -> None:
    undo = patch(Library, "greet", louder)
    assert Library().greet() == "HELLO"
    undo()
    assert Library().greet() == "hello"


def test_a_method_that_somebody_else_has_wrapped_since_is_left_to_them() -> None:
    original = Library.__dict__["greet"]
    undo = patch(Library, "greet", louder)
    theirs = lambda self: f"<{original(self)}>"  # noqa: E731 - as another library would
    Library.greet = theirs  # type: ignore[method-assign]
    undo()
    assert Library().greet() == "<hello>"
    Library.greet = original  # type: ignore[method-assign]


def test_a_patched_method_still_shows_its_own_name_and_signature() -> None:
    undo = patch(Library, "greet", louder)
    assert Library.greet.__name__ == "greet"
    assert inspect.signature(Library.greet) == inspect.signature(Library.part)
    undo()


def test_the_change_lasts_until_the_last_user_is_done() -> None:
    recording = Shared(lambda: patch_all((Library, "greet", louder), (Library, "part", louder)))
    first, second = recording.acquire(), recording.acquire()
    first.close()
    first.close()
    assert (Library().greet(), Library().part()) == ("HELLO", "BYE")
    second.close()
    assert (Library().greet(), Library().part()) == ("hello", "bye")
    with recording.acquire():
        assert Library().greet() == "HELLO"
    assert Library().greet() == "hello"


def test_a_handle_undoes_in_reverse_order_and_once() -> None:
    undone: list[int] = []
    handle = Handle(lambda: undone.append(1), lambda: undone.append(2))
    handle.close()
    handle.close()
    assert undone == [2, 1]
