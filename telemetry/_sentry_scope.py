"""The scopes of Sentry's for one request, forked when they are first looked at: most requests set and send nothing.

`sentry_sdk.isolation_scope()` copies two scopes of 30 fields, or makes them where a server's task has none yet, in 5 to
15 us. A `RequestScope` stands in both of Sentry's context variables instead, and who asks these is given the fork.

https://docs.sentry.io/platforms/python/enriching-events/scopes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sentry_sdk import scope as sentry_scope
from sentry_sdk.scope import Scope, ScopeType

if TYPE_CHECKING:
    from contextvars import ContextVar, Token

__all__ = ["RequestScope"]


class RequestScope:
    """The isolation scope of one request, and a current scope with it: a context manager that opens both.

    What was there is kept in it: tokens to put it back by would be two more objects a request that live as long as it
    does, and for which the garbage collector runs more often.
    """

    def __enter__(self) -> None:
        """Open it."""
        self._outer, self._outer_current = _isolation.held.get(), _current.held.get()
        _isolation.held.set(self)
        _current.held.set(self)

    def __exit__(self, *_: object) -> None:
        """Put back what was there, unless this is another task's context: then there is nothing to put back."""
        if _isolation.held.get() is self:
            _current.held.set(self._outer_current)
            _isolation.held.set(self._outer)
        # A task that began here may live on, and open others: it would be a chain of scopes that never ends.
        self._outer = _source(self._outer, ScopeType.ISOLATION)
        self._outer_current = _source(self._outer_current, ScopeType.CURRENT)

    def fork(self, kind: ScopeType) -> Scope:
        """Return its scope of a kind: a fork of what is around it, as that is when it is first asked for."""
        found = self.forked(kind)
        if found is None:
            source = self.source(kind)
            fork = Scope(ty=kind) if source is None else source.fork()
            found = vars(self).setdefault(kind.value, fork)  # two threads get the same
        return found

    def forked(self, kind: ScopeType) -> Scope | None:
        """Return its scope of a kind, where anybody has asked for it."""
        return vars(self).get(kind.value)

    def source(self, kind: ScopeType) -> Scope | None:
        """Return what its scope of a kind is a fork of; None where there is nothing around it."""
        return _source(self._outer if kind is ScopeType.ISOLATION else self._outer_current, kind)


def _source(around: Scope | RequestScope | None, kind: ScopeType) -> Scope | None:
    """Return what a fork of `around` is a copy of: where nobody has asked for that, what it would be a copy of."""
    if isinstance(around, RequestScope):
        return around.forked(kind) or around.source(kind)
    return around


class _ScopeVariable:
    """A context variable of Sentry's as its own functions see it: with a fork where a `RequestScope` stands in it."""

    def __init__(self, held: ContextVar[Scope | RequestScope | None], kind: ScopeType) -> None:
        """Take the place of `held`, whose scopes are of a kind."""
        self.held, self._kind = held, kind

    def get(self) -> Scope | None:
        """Return the scope."""
        found = self.held.get()
        return found.fork(self._kind) if isinstance(found, RequestScope) else found

    def set(self, scope: Scope | None) -> Token[Scope | RequestScope | None]:
        """Set the scope, in this context."""
        return self.held.set(scope)

    def reset(self, token: Token[Scope | RequestScope | None]) -> None:
        """Put back what was there before."""
        self.held.reset(token)


def _take_place_of(name: str, kind: ScopeType) -> _ScopeVariable:
    variable = _ScopeVariable(getattr(sentry_scope, name), kind)
    setattr(sentry_scope, name, variable)
    return variable


_isolation = _take_place_of("_isolation_scope", ScopeType.ISOLATION)
_current = _take_place_of("_current_scope", ScopeType.CURRENT)
