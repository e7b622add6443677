"""A scope of Sentry's for one request, forked when it is first looked at: most requests set and send nothing.

`sentry_sdk.isolation_scope()` copies two scopes of 30 fields, or makes them where a server's task has none yet, in 5 to
15 us. Two empty ones take their place in 2: a field that is asked for is looked up by Python in vain, and the parent's
fields are copied then.

https://docs.sentry.io/platforms/python/enriching-events/scopes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sentry_sdk.scope import Scope, ScopeType, _current_scope, _isolation_scope

if TYPE_CHECKING:
    from contextvars import Token

__all__ = ["RequestScope"]

_SLOTS = frozenset(Scope.__slots__)


class _Fork(Scope):
    """A fork of its parent, as the parent is when the first field is asked for."""

    __slots__ = ("_kind", "_parent")

    def __init__(self, parent: Scope | None, kind: ScopeType) -> None:
        """Copy nothing yet, so Sentry's own `__init__` has nothing to do; without a parent it is a new scope."""
        self._parent, self._kind = parent, kind

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the field holds
        """Copy what is not there yet, and return the field."""
        if name not in _SLOTS:
            raise AttributeError(name)
        parent = Scope(ty=self._kind) if self._parent is None else self._parent.fork()
        for slot in _SLOTS:
            try:
                object.__getattribute__(self, slot)
            except AttributeError:
                setattr(self, slot, getattr(parent, slot))
        return object.__getattribute__(self, name)


class RequestScope:
    """A context of its own current scope and isolation scope, as `sentry_sdk.isolation_scope()` opens it."""

    __slots__ = ("_current", "_isolation")

    def __enter__(self) -> None:
        """Open it."""
        self._current: Token[Scope | None] = _current_scope.set(_Fork(_current_scope.get(), ScopeType.CURRENT))
        self._isolation: Token[Scope | None] = _isolation_scope.set(_Fork(_isolation_scope.get(), ScopeType.ISOLATION))

    def __exit__(self, *_: object) -> None:
        """Put back what was there, unless this is another task's context: then there is nothing to put back."""
        for variable, token in ((_current_scope, self._current), (_isolation_scope, self._isolation)):
            try:
                variable.reset(token)
            except (LookupError, ValueError):
                continue
