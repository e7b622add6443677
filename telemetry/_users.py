"""The user of a block of code: bound to the running task or thread, put on the spans that start in the block."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

from telemetry import _error_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

__all__ = ["ATTRIBUTE", "User", "UserProcessor", "current_user", "replace_user", "user_block"]

ATTRIBUTE = "user.id"
User = dict[str, str]
"""Sentry's form: `id`, and perhaps `username`."""

_block: ContextVar[User | None] = ContextVar("telemetry_user", default=None)


def current_user() -> User | None:
    """Return the user of the innermost block, None outside of all."""
    return _block.get()


def replace_user(user: User) -> bool:
    """Make this the user of the innermost block; tells whether there is one."""
    found = _block.get()
    if found is None:
        return False
    found.clear()
    found.update(user)
    return True


@contextmanager
def user_block(user: User | None) -> Iterator[None]:
    """Run the body as this user's, or as nobody's; an error that leaves it remembers whose it is."""
    found = dict(user) if user else None
    token = _block.set(found)
    try:
        yield
    except BaseException as error:
        if found:
            _error_marks.set_user(error, found)
        raise
    finally:
        with suppress(ValueError):  # a generator closed from elsewhere: here is nothing to be restored
            _block.reset(token)


class UserProcessor(SpanProcessor):
    """Puts the user of a block on each span that starts in it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set the attribute."""
        del parent_context
        if found := _block.get():
            span.set_attribute(ATTRIBUTE, found["id"])
