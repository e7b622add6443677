"""The scopes of Sentry's for one request, forked when they are first looked at: most requests set and send nothing.

`sentry_sdk.isolation_scope()` copies two scopes of 30 fields, or makes them where a server's task has none yet, in 5 to
15 us. A `RequestScope` stands in both of Sentry's context variables instead, and who asks these is given the fork.

https://docs.sentry.io/platforms/python/enriching-events/scopes/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sentry_sdk import scope as sentry_scope
from sentry_sdk.scope import Scope, ScopeType, _current_scope, _isolation_scope

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
        self._outer, self._outer_current = _isolation.get(), _current.get()
        _isolation.set(self)
        _current.set(self)

    def __exit__(self, *_: object) -> None:
        """Put back what was there, unless this is another task's context: then there is nothing to put back."""
        outer, current = self._outer, self._outer_current
        if _isolation.get() is self:
            _current.set(current)
            _isolation.set(outer)
        if isinstance(outer, RequestScope) or isinstance(current, RequestScope):
            # A task that began here may live on, and open others: it would be a chain of scopes that never ends.
            self._outer, self._outer_current = self.source(ScopeType.ISOLATION), self.source(ScopeType.CURRENT)

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
        """Stand before `held`, whose scopes are of a kind."""
        self._held, self._kind = held, kind

    def get(self) -> Scope | None:
        """Return the scope."""
        found = self._held.get()
        return found.fork(self._kind) if isinstance(found, RequestScope) else found

    def set(self, scope: Scope | None) -> Token[Scope | RequestScope | None]:
        """Set the scope, in this context."""
        return self._held.set(scope)

    def reset(self, token: Token[Scope | RequestScope | None]) -> None:
        """Put back what was there before."""
        self._held.reset(token)


_isolation: ContextVar[Any] = _isolation_scope
_current: ContextVar[Any] = _current_scope
sentry_scope._isolation_scope = _ScopeVariable(_isolation, ScopeType.ISOLATION)  # noqa: SLF001 - there is no other way
sentry_scope._current_scope = _ScopeVariable(_current, ScopeType.CURRENT)  # noqa: SLF001
