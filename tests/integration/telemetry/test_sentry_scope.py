"""The scope of a request that is forked late is the one that Sentry's own fork is."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.scope import Scope, ScopeType

from telemetry._sentry_scope import RequestScope
from tests.conftest import left_by_a_chain

Open = Callable[[], AbstractContextManager[object]]
WAYS: dict[str, Open] = {"ours": RequestScope, "Sentry's": sentry_sdk.isolation_scope}


@pytest.fixture
def events() -> Iterator[list[dict[str, Any]]]:
    found: list[Any] = []
    options: Any = {"default_integrations": False, "before_send": lambda event, _: found.append(event)}
    sentry_sdk.init("http://key@127.0.0.1:9/1", **options)
    yield found
    sentry_sdk.get_client().close(timeout=0)
    Scope.get_global_scope().set_client(None)
    for scope in (Scope.get_isolation_scope(), Scope.get_current_scope()):
        scope.clear()  # of the whole process: other tests begin without what was set here


def told(event: dict[str, Any]) -> dict[str, Any]:
    crumbs = [crumb["message"] for crumb in event.get("breadcrumbs", {}).get("values", [])]
    return {key: event.get(key) for key in ("tags", "user", "extra", "transaction", "level")} | {"crumbs": crumbs}


def used(open_scope: Open, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Set, send and nest as applications do; return what each event told."""
    events.clear()
    sentry_sdk.set_tag("outer", "1")
    with open_scope():
        sentry_sdk.set_user({"id": "7"})
        sentry_sdk.set_tag("inner", "2")
        sentry_sdk.add_breadcrumb(message="clicked")
        sentry_sdk.capture_message("first")
        with sentry_sdk.new_scope() as scope:
            scope.set_extra("deep", 3)
            sentry_sdk.capture_message("second")
        with open_scope():
            sentry_sdk.set_tag("inner", "4")
            sentry_sdk.capture_message("third")
        sentry_sdk.capture_message("fourth")
    sentry_sdk.capture_message("after")
    return [told(event) for event in events]


def test_events_tell_the_same_whoever_forks(events: list[dict[str, Any]]) -> None:
    ours, theirs = (used(open_scope, events) for open_scope in WAYS.values())
    assert len(ours) == 5
    assert ours == theirs
    assert ours[-1]["user"] in (None, {})


@pytest.mark.parametrize("way", WAYS)
def test_tasks_of_one_request_share_its_scope_and_no_other_request_sees_it(
    way: str, events: list[dict[str, Any]]
) -> None:
    async def request(number: int) -> None:
        with WAYS[way]():
            sentry_sdk.set_tag("request", str(number))
            await asyncio.gather(*(asyncio.to_thread(sentry_sdk.capture_message, str(number)) for _ in range(3)))

    async def both() -> None:
        await asyncio.gather(*(request(number) for number in range(5)))

    asyncio.run(both())
    assert sorted((event["message"], event["tags"]["request"]) for event in events) == sorted(
        (str(number), str(number)) for number in range(5) for _ in range(3)
    )


def test_nothing_is_forked_before_somebody_asks_and_then_once() -> None:
    with (opened := RequestScope()):
        assert [opened.forked(kind) for kind in (ScopeType.ISOLATION, ScopeType.CURRENT)] == [None, None]
        isolation, current = Scope.get_isolation_scope(), Scope.get_current_scope()
        assert (isolation._type, current._type) == (ScopeType.ISOLATION, ScopeType.CURRENT)
        assert Scope.get_isolation_scope() is isolation
        assert Scope.get_current_scope() is current


def test_a_scope_within_one_that_nobody_looked_at_has_what_was_set_around_both(events: list[dict[str, Any]]) -> None:
    sentry_sdk.set_tag("outer", "1")
    with RequestScope(), RequestScope():
        sentry_sdk.capture_message("inner")
    assert events[0]["tags"] == {"outer": "1"}


def test_a_task_that_outlives_its_request_has_what_was_set_around_it(events: list[dict[str, Any]]) -> None:
    sentry_sdk.set_tag("outer", "1")
    with RequestScope(), RequestScope():
        task = contextvars.copy_context()
    task.run(sentry_sdk.set_tag, "task", "2")
    task.run(sentry_sdk.capture_message, "later")
    sentry_sdk.capture_message("outside")
    assert [event["tags"] for event in events] == [{"outer": "1", "task": "2"}, {"outer": "1"}]


@pytest.mark.parametrize("is_set", [True, False])
def test_a_job_that_starts_the_next_one_leaves_no_chain_of_scopes(*, is_set: bool) -> None:
    def job() -> contextvars.Context:
        with RequestScope():
            if is_set:
                sentry_sdk.set_tag("job", "1")
            return contextvars.copy_context()

    assert left_by_a_chain(job, RequestScope) <= 2
    assert left_by_a_chain(job, Scope) <= 4


def test_a_scope_that_is_closed_in_another_task_leaves_that_ones_alone() -> None:
    opened = RequestScope()
    contextvars.copy_context().run(opened.__enter__)
    with RequestScope():
        here = Scope.get_isolation_scope()
        opened.__exit__()
        assert Scope.get_isolation_scope() is here


class Slow(RequestScope):
    """A scope that another thread looks at as well, while it is forked for the first time."""

    def source(self, kind: ScopeType) -> Scope | None:
        if not self.seen:
            self.seen.append(threading.get_ident())
            thread = threading.Thread(target=lambda: self.got.append(self.fork(kind)))
            thread.start()
            thread.join()
        return super().source(kind)

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.got: list[Scope] = []


def test_two_threads_that_look_first_get_the_same_scope() -> None:
    with (opened := Slow()):
        assert [Scope.get_isolation_scope()] == opened.got
