"""A scope of Sentry's for one request, forked when it is first looked at: most requests set and send nothing.

`sentry_sdk.isolation_scope()` copies two scopes of 30 fields, or makes them where a server's task has none yet, in 5 to
15 us. Two empty ones take their place in 2: a field that is asked for is looked up by Python in vain, and the parent's
fields are copied then.

https://docs.sentry.io/platforms/python/enriching-events/scopes/
"""

from __future__ import annotations

from typing import Any, ClassVar

from sentry_sdk.scope import Scope, ScopeType, _current_scope, _isolation_scope

__all__ = ["RequestScope"]

_SLOTS = frozenset(Scope.__slots__)


class _Fork(Scope):
    """A fork of `parent`, as that is when the first field is asked for; without a parent it is a new scope."""

    __slots__ = ("parent",)
    parent: Scope | None
    kind: ClassVar[ScopeType]

    def __init__(self, parent: Scope | None) -> None:
        """Copy nothing yet, so Sentry's own `__init__` has nothing to do."""
        self.parent = parent

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the field holds
        """Copy what is not there yet, and return the field."""
        if name not in _SLOTS:
            raise AttributeError(name)
        parent = self.parent  # read once: another thread that asks may let it go meanwhile
        copied = Scope(ty=self.kind) if parent is None else parent.fork()
        for slot in _SLOTS:
            if not self._has(slot):
                setattr(self, slot, getattr(copied, slot))
        self.parent = None
        return object.__getattribute__(self, name)

    @property
    def is_untouched(self) -> bool:
        """Whether no field was set or asked for."""
        return not any(map(self._has, _SLOTS))

    def _has(self, slot: str) -> bool:
        try:
            object.__getattribute__(self, slot)
        except AttributeError:
            return False
        return True


class _CurrentFork(_Fork):
    __slots__ = ()
    kind = ScopeType.CURRENT


class RequestScope(_Fork):
    """The isolation scope of one request; a context manager that opens it, and a current scope of its own with it.

    What was there is kept in it: tokens to put it back by would be two more objects a request that live as long as it
    does, and for which the garbage collector runs more often.
    """

    __slots__ = ("_outer", "_outer_current")
    kind = ScopeType.ISOLATION

    def __init__(self) -> None:
        """Copy nothing yet; what it is a fork of is known when it is opened."""
        super().__init__(None)

    def __enter__(self) -> None:
        """Open it."""
        self._outer_current, self._outer = _current_scope.get(), _isolation_scope.get()
        self.parent = _source(self._outer)
        _current_scope.set(_CurrentFork(_source(self._outer_current)))
        _isolation_scope.set(self)

    def __exit__(self, *_: object) -> None:
        """Put back what was there, unless this is another task's context: then there is nothing to put back."""
        if _isolation_scope.get() is self:
            _current_scope.set(self._outer_current)
            _isolation_scope.set(self._outer)
        del self._outer_current, self._outer  # a task that began here may live on, and open others


def _source(scope: Scope | None) -> Scope | None:
    """Return what a fork of a scope is a copy of: where nobody has looked at that, of what it would be a copy itself.

    So a job that starts the next one, and that another, is no chain of scopes that never ends.
    """
    while isinstance(scope, _Fork):
        parent = scope.parent  # read first: who touches it lets that go
        if not scope.is_untouched:
            break
        scope = parent
    return scope
