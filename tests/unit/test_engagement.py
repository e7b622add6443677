"""How many messages users write, without telling who."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from telemetry import engagement
from telemetry.engagement import Engagement
from tests.conftest import Recorded

NAME = "telegram.messages.per.user"


def values(recorded: Recorded) -> tuple[float, float]:
    """Number of users, and of their messages."""
    data = recorded._reader.get_metrics_data()
    resources = data.resource_metrics if data else ()
    metrics = [m for r in resources for scope in r.scope_metrics for m in scope.metrics if m.name == NAME]
    points = [point for metric in metrics for point in metric.data.data_points]
    return sum(point.count for point in points), sum(point.sum for point in points)  # type: ignore[union-attr,misc]


def test_each_user_is_one_value_at_the_end_of_the_window(recorded: Recorded) -> None:
    noting = Engagement(recorded.runtime.instruments, 60)
    for user in ("ann", "ben", "ann", "ann"):
        noting.note(user)
    assert values(recorded) == (0, 0)
    noting.flush()
    noting.flush()
    assert values(recorded) == (2, 4)


def test_a_window_ends_by_itself_and_the_next_one_begins_anew(recorded: Recorded) -> None:
    noting = Engagement(recorded.runtime.instruments, 0.1)
    noting.note("ann")
    time.sleep(0.3)
    assert values(recorded) == (1, 1)
    noting.note("ann")
    noting.flush()
    assert values(recorded) == (2, 2)


def test_no_label_tells_who(recorded: Recorded) -> None:
    recorded.runtime.engagement.note("ann")
    recorded.runtime.stop()
    assert list(recorded.series()[NAME]) == [()]


def test_users_past_the_cap_are_not_kept(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engagement, "MAX_USERS", 2)
    noting = replace(recorded.runtime).engagement
    for user in ("ann", "ben", "cem", "ann"):
        noting.note(user)
    noting.flush()
    assert values(recorded) == (2, 3)
