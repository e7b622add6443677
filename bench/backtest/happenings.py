"""What happens to the service: kinds, and when one of them happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.backtest.conditions import Conditions
    from bench.backtest.traffic import Event

__all__ = ["Happening", "Kind"]


@dataclass(frozen=True)
class Kind:
    """One kind of incident or harmless thing.

    `change` sets the conditions while it lasts, by the share of its time that has passed. `must` names the rules that
    have to fire, `may` the alerts or rules that are allowed to; a harmless thing has neither. `bad` is the share of
    the events that go wrong, for what the rules promise (promises.py). `begins` tells from the conditions when a
    creeping incident is there: before, nothing is wrong yet.
    """

    name: str
    minutes: float
    change: Callable[[Conditions, float], None]
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    bad: Mapping[Event, float] = field(default_factory=dict)
    begins: Callable[[Conditions], bool] = lambda _: True
    calm_before: float = 0
    """Hours of calm it needs more than others: whether it is found depends on the day before."""
    needs: int = 1
    """API processes there must be for it to happen."""

    @property
    def harmless(self) -> bool:
        """Whether nobody is to be told."""
        return not self.must


@dataclass
class Happening:
    """A kind at a time, in seconds since 1970; `since` when it was first there, known once it was lived through."""

    kind: Kind
    start: float
    since: float | None = None

    @property
    def end(self) -> float:
        """When it is over."""
        return self.start + self.kind.minutes * 60

    def change(self, conditions: Conditions, now: float) -> None:
        """Set the conditions, if it is going on."""
        if self.start <= now < self.end:
            self.kind.change(conditions, (now - self.start) / (self.end - self.start))
            if self.since is None and self.kind.begins(conditions):
                self.since = now
