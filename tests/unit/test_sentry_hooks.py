"""Unhandled and logged errors are reported with the scope they arose in, and the hooks can be taken out again."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
import threading
from asyncio import BaseEventLoop
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace
from sentry_sdk import get_isolation_scope, isolation_scope

import telemetry
from telemetry import _sentry_hooks
from telemetry._users import User, current_user
from telemetry.instrumentation._handle import Handle
from tests.conftest import Recorded

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="")


class Reports:
    """What was reported, each with the span that it is linked to and the tags of its scope."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.spans: list[int] = []
        self.tags: list[dict[str, str]] = []
        self.records: list[str] = []
        self.variables: list[str] = []
        self.users: list[User | None] = []

    def report(self, error: BaseException) -> None:
        self.errors.append(error)
        self._note()

    def log(self, record: logging.LogRecord) -> None:
        self.records.append(record.getMessage())
        self._note()

    def _note(self) -> None:
        self.variables.append(variable.get())
        self.users.append(current_user())
        self.tags.append(dict(get_isolation_scope()._tags))
        with _sentry_hooks.linked():
            self.spans.append(trace.get_current_span().get_span_context().span_id)


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def hooks(reports: Reports) -> Iterator[Handle]:
    with _sentry_hooks.install(reports.report, reports.log) as handle:
        yield handle


@pytest.fixture
def span_id(hooks: Handle, recorded: Recorded) -> Iterator[int]:
    """Run the test in a span, and in a scope with a tag."""
    with isolation_scope() as scope, telemetry.get_tracer().start_as_current_span("here") as span:
        scope.set_tag("plan", "pro")
        yield span.get_span_context().span_id


def fail() -> None:
    raise ValueError("bad")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_in_a_thread_has_user_scope_and_span_of_who_started_it(reports: Reports, span_id: int) -> None:
    with telemetry.user_context("7"):
        thread = threading.Thread(target=fail)
        thread.start()
    thread.join()
    assert [str(error) for error in reports.errors] == ["bad"]
    assert (reports.spans, reports.tags, reports.users) == ([span_id], [{"plan": "pro"}], [{"id": "7"}])
    assert "run" not in vars(thread)


def test_a_span_in_a_thread_is_a_root_all_the_same(recorded: Recorded, span_id: int) -> None:
    thread = threading.Thread(target=lambda: telemetry.get_tracer().start_span("in thread").end())
    thread.start()
    thread.join()
    assert recorded.span("in thread").parent is None


def test_a_job_of_a_pool_has_the_scope_of_who_submitted_it_not_of_who_started_the_thread(
    reports: Reports, hooks: Handle
) -> None:
    with ThreadPoolExecutor(1) as pool:
        for plan in ("pro", "free"):
            with isolation_scope() as scope:
                scope.set_tag("plan", plan)
                pool.submit(lambda: reports.report(ValueError())).result()
    assert reports.tags == [{"plan": "pro"}, {"plan": "free"}]


class OwnTask(asyncio.Task[None]):
    """A task of a library's."""


@pytest.mark.parametrize("factory", [None, OwnTask], ids=["of asyncio", "of a factory"])
@pytest.mark.parametrize("given", [True, False], ids=["context given", "context copied"])
def test_a_lost_tasks_error_is_reported_in_the_tasks_own_context(
    reports: Reports, hooks: Handle, factory: type[OwnTask] | None, *, given: bool
) -> None:
    async def fail_later() -> None:
        fail()

    async def main() -> None:
        if factory is not None:
            asyncio.get_running_loop().set_task_factory(
                lambda loop, coroutine, **more: factory(coroutine, loop=loop, **more)  # type: ignore[arg-type]
            )
        variable.set("of the task")
        own = contextvars.copy_context() if given else None
        if given:
            variable.set("of another")
        task = asyncio.create_task(fail_later(), context=own)
        task.add_done_callback(lambda _: None, context=contextvars.Context())
        variable.set("of another")
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(main())
    assert [str(error) for error in reports.errors] == ["bad"]
    assert reports.variables[0] == "of the task"


@pytest.mark.parametrize(
    ("name", "level", "reported"),
    [
        ("shop", logging.ERROR, True),
        ("shop.basket", logging.CRITICAL, True),
        ("shop", logging.WARNING, False),
        ("telegram.ext.Application", logging.ERROR, False),
        ("opentelemetry.sdk.trace", logging.ERROR, False),
        ("httpx", logging.ERROR, False),
        ("uvicorn.error", logging.ERROR, False),
        ("telemetry", logging.ERROR, False),
        ("telegrams", logging.ERROR, True),
    ],
)
def test_an_error_in_the_log_is_reported_unless_it_repeats_what_is_known(
    reports: Reports, hooks: Handle, name: str, level: int, *, reported: bool
) -> None:
    logging.getLogger(name).log(level, "stock is %s", "empty")
    assert reports.records == (["stock is empty"] if reported else [])


@pytest.mark.parametrize(("name", "plan"), [("shop", "pro"), ("asyncio", None)])
def test_what_is_found_while_collecting_garbage_is_nobodys(
    reports: Reports, span_id: int, name: str, plan: str | None
) -> None:
    with telemetry.user_context("7"):
        logging.getLogger(name).error("Task was destroyed but it is pending!")
    assert [tags.get("plan") for tags in reports.tags] == [plan]
    assert reports.users == [{"id": "7"} if plan else None]
    assert reports.spans == [span_id if plan else 0]


def test_an_unhandled_error_is_reported_and_printed_as_before(
    reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _traceback: printed.append(error))
    with _sentry_hooks.install(reports.report, reports.log):
        sys.excepthook(ValueError, error := ValueError(), None)
    assert (printed, reports.errors) == ([error], [error])


HOOKED: dict[str, Callable[[], object]] = {
    "sys.excepthook": lambda: sys.excepthook,
    "Thread.start": lambda: threading.Thread.start,
    "ThreadPoolExecutor.submit": lambda: ThreadPoolExecutor.submit,
    "call_exception_handler": lambda: BaseEventLoop.call_exception_handler,
    "callHandlers": lambda: logging.Logger.callHandlers,
}


@pytest.mark.parametrize("hooked", HOOKED.values(), ids=HOOKED.keys())
def test_a_hook_is_on_off_and_on_again(reports: Reports, hooked: Callable[[], object]) -> None:
    before = hooked()
    for _ in range(2):
        handle = _sentry_hooks.install(reports.report, reports.log)
        assert hooked() is not before
        handle.close()
        handle.close()
        assert hooked() is before
