"""How far back a rule looks, and by when it has to have found something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grafana.source.alerts import seconds

if TYPE_CHECKING:
    from grafana.source.alerts import Rule

__all__ = ["forgets", "looks_back", "time_of"]

_WINDOW = re.compile(r"(?<!resets\()\b\w+(?:{[^}]*})?\[(\d+[smhd])\](?! offset)")
"""What only asks whether a counter began again, or what it had before, is no window."""
_AGE = re.compile(r"time\(\) - [^>]* > (\d+)")
_RECORDED = 300
"""Seconds that each sample of a recorded rate looks back itself."""


def looks_back(rule: Rule) -> int:
    """Return the longest window of a rule in seconds, or the age it waits for; 0 for one that looks at this moment."""
    windows = [seconds(window) for window in _WINDOW.findall(rule.expr)]
    return max([*windows, *(int(age) for age in _AGE.findall(rule.expr))], default=0)


def time_of(rule: Rule) -> int:
    """Return the time a rule takes by its own words: its window and its `for`."""
    return looks_back(rule) + seconds(rule.level.hold)


def forgets(rule: Rule) -> int:
    """Return the seconds in which an incident that is over leaves the rule's shortest window, and a `for` more."""
    shortest = seconds(rule.level.windows[-1]) + _RECORDED if rule.level.windows else looks_back(rule)
    return shortest + seconds(rule.level.hold) + 60
