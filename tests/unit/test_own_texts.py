"""A text of the program's own leaves, one that may hold what a user wrote does not."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from telemetry._own_texts import is_own, log_text, message_of, messages_of
from telemetry.redaction import MARKER
from telemetry.settings import Settings
from telemetry.testing import Capture

NAME = "Anna"
LOG = logging.getLogger("shop")


class SoldOutError(Exception):
    """Says the same always."""

    def __init__(self) -> None:
        super().__init__("there is no more of it")


class SilentError(Exception):
    """Cannot say anything."""

    def __str__(self) -> str:
        raise RuntimeError


def plain() -> None:
    raise ValueError("no such plan")


def formatted() -> None:
    raise ValueError(f"no plan for {NAME}")


def passed_on(text: str = f"no such plan, {NAME}") -> None:
    raise ValueError(text)


def of_a_class() -> None:
    raise SoldOutError


def of_a_library() -> None:
    int(NAME)


def with_a_secret() -> None:
    raise ValueError("password=hunter2")


def error_of(fail: Callable[[], None]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any kind
        fail()
    return caught.value


CASES = {
    "a text in the code": (plain, "no such plan"),
    "a text that is made": (formatted, MARKER),
    "a text from elsewhere": (passed_on, MARKER),
    "a text in the error's class": (of_a_class, "there is no more of it"),
    "a library's": (of_a_library, MARKER),
    "a secret in the code": (with_a_secret, MARKER),
}


@pytest.mark.parametrize(("fail", "said"), CASES.values(), ids=CASES)
def test_an_exception_says(fail: Callable[[], None], said: str) -> None:
    assert message_of(error_of(fail)) == said


def test_what_was_found_in_code_is_known_where_only_the_text_is_left() -> None:
    message_of(error_of(plain))
    message_of(error_of(formatted))
    assert (is_own("no such plan"), is_own(f"no plan for {NAME}")) == (True, False)


@pytest.mark.parametrize(
    ("settings", "said"),
    [(Settings(), MARKER), (Settings(exception_messages=True), f"no plan for {NAME}"),
     (Settings(exception_messages=True, environment="production"), MARKER)],
    ids=["not asked for", "in development", "in production"],
)  # fmt: skip
def test_all_messages_leave_in_development_only_and_if_asked_for(settings: Settings, said: str) -> None:
    with Capture(settings):
        assert message_of(error_of(formatted)) == said


def test_causes_and_members_are_found_each_once() -> None:
    error, cause = error_of(plain), error_of(formatted)
    error.__cause__, cause.__context__ = cause, error
    group = ExceptionGroup("several", [error, error_of(of_a_class)])
    assert messages_of(group) == {
        "several (2 sub-exceptions)": MARKER, "no such plan": "no such plan", f"no plan for {NAME}": MARKER,
        "there is no more of it": "there is no more of it",
    }  # fmt: skip


def test_an_error_that_cannot_speak_says_nothing() -> None:
    assert messages_of(SilentError()) == {"": MARKER}


class Heard(logging.Handler):
    """Keeps what would leave of each line."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(log_text(record))


def test_a_log_line_says_what_stands_in_the_code_and_no_argument() -> None:
    heard = Heard()
    LOG.addHandler(heard)
    LOG.error("no plan for %s", NAME)
    LOG.error(f"no plan for {NAME}")  # noqa: G004 - that is the case
    LOG.error(ValueError(NAME))
    LOG.removeHandler(heard)
    assert heard.said == ["no plan for %s", MARKER, MARKER]
