"""The tutorial, done as it says: its own blocks make the program, its own commands run it, its own trees come out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest

from stack.ports import free_ports
from telemetry.backends import Jaeger, Prometheus, Sentry, Trace
from tests.documents import ROOT, Block, blocks, changed
from tests.stack.stack_helpers import StackUnderTest, eventually

TUTORIAL = ROOT / "docs/TUTORIAL.md"
ANSWER_SECONDS = 60
After = tuple[StackUnderTest, list[str]]
"""The stack, and the traces' ids in the log, after step 5."""


@cache
def step(number: int, language: str) -> list[Block]:
    return [block for block in blocks(TUTORIAL, language) if block.section.startswith(f"{number}.")]


@dataclass
class Coach:
    """The folder with the program, and how its commands are run."""

    folder: Path
    environment: dict[str, str]
    port: str

    def shell(self, command: str) -> subprocess.Popen[str]:
        """Start a command of the document, in a shell whose virtual environment is active."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            ["bash", "-c", f"exec {command}" if "chat" in command else command],
            cwd=self.folder, env=self.environment, stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    @contextmanager
    def chatting(self, number: int) -> Iterator[subprocess.Popen[str]]:
        """Run the program as a step says, until the block is left."""
        (block,) = [block for block in step(number, "bash") if "health_agent chat" in block.text]
        command = block.text.strip().replace("8081", self.port).replace("OTEL_", "env OTEL_", 1)
        with self.shell(command) as program:
            assert program.stdin is not None
            try:
                yield program
            finally:
                program.stdin.close()
                program.wait(timeout=ANSWER_SECONDS)

    def foods(self) -> object:
        """What the API says that the user of the chat ate."""
        return httpx.get(f"http://localhost:{self.port}/api/users/4242/foods", trust_env=False).json()


def listen(program: subprocess.Popen[str], until: str) -> Iterator[str]:
    """Yield the lines that a program prints, with the one that begins as said as the last."""
    assert program.stdout is not None
    for line in iter(program.stdout.readline, ""):
        yield line
        if until in line:
            return
    pytest.fail(f"the program ended without {until!r}")


def chat(program: subprocess.Popen[str], transcript: str) -> list[str]:
    """Write the lines of a transcript, wait for each answer that it shows; return what was printed until the last."""
    assert program.stdin is not None
    printed: list[str] = []
    for line in transcript.splitlines():
        if line.startswith("coach> "):
            printed += listen(program, "coach> ")
            assert printed[-1].strip() == line
        else:
            program.stdin.write(f"{line}\n")
            program.stdin.flush()
    return printed


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackUnderTest]:
    """A stack that step 1 has started, with its line in .env."""
    found = re.search(r'echo "(\w+)=(\w+)" >> \.env\nmake up\n', step(1, "bash")[0].text)
    assert found is not None
    stack = StackUnderTest(tmp_path_factory.mktemp("stack"), extra={found[1]: found[2]})
    stack.up()
    yield stack
    stack.run("down")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Coach:
    """The program as it is in step 1."""
    (block,) = step(1, "python")
    folder = tmp_path_factory.mktemp("before")
    (folder / block.name).write_text(block.text)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    (port,) = free_ports(["API"]).values()
    return Coach(folder, os.environ | {"PATH": path, "LOCAL_DELAY_SCALE": "0.1", "PYTHONUNBUFFERED": "1"}, port)


@pytest.fixture(scope="module")
def coach(before: Coach, stack: StackUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Coach:
    """The program after step 4."""
    folder = tmp_path_factory.mktemp("coach")
    (diff,), (original,) = step(4, "diff"), step(1, "python")
    (folder / original.name).write_text(changed(original.text, diff.text))
    for block in (*step(3, "python"), *step(6, "python")):
        (folder / block.name).write_text(block.text)
    return Coach(folder, stack.environment | before.environment, before.port)


@pytest.fixture(scope="module")
def after_the_chat(coach: Coach, stack: StackUnderTest) -> After:
    """Step 5 done: what was said is said, the program has ended."""
    with coach.chatting(5) as program:
        printed = chat(program, step(5, "text")[0].text)
        printed += listen(program, "No error handlers are registered")
        assert coach.foods() == ["Apples, raw, with skin, 150 g, 78 kcal"]
        curl = subprocess.run(
            step(5, "bash")[1].text.replace("8081", coach.port).split(), capture_output=True, text=True, check=True
        )
        assert json.loads(curl.stdout) == coach.foods()
    return stack, [found for line in printed for found in re.findall(r" trace=(\w{32})$", line)]


def outline(trace: Trace) -> str:
    return "".join(f"{'  ' * depth}{span.name}\n" for depth, span in trace.walk())


def traces(stack: StackUnderTest, root: str, message: str = "") -> list[Trace]:
    """Return the traces of the coach that begin with a span of this name, and hold one whose name begins as said."""
    found = Jaeger(stack.app_env()["TELEMETRY_JAEGER_URL"]).search("coach", operation=root)
    return [trace for trace in found if any(span.name.startswith(message) for span in trace.spans)]


def test_the_program_works_before_it_knows_of_telemetry(before: Coach) -> None:
    assert "telemetry" not in (before.folder / "coach.py").read_text()
    with before.chatting(1) as program:
        chat(program, step(1, "text")[0].text)
        assert before.foods() == ["Apples, raw, with skin, 150 g, 78 kcal"]
    assert program.returncode == 0


def test_it_answers_the_same_when_it_is_watched() -> None:
    assert step(5, "text")[0].text.startswith(step(1, "text")[0].text)


def test_the_extras_that_are_installed_exist() -> None:
    (named,) = re.findall(r"\[(.*)\]", step(2, "bash")[0].text)
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(named.split(",")) | {"psycopg", "prometheus"} == set(known)


def test_the_apple_is_the_trace_that_the_page_shows(after_the_chat: After) -> None:
    stack, logged = after_the_chat
    (apple,) = eventually(lambda: traces(stack, "telegram.update", "execute_tool"), seconds=30)
    assert apple.trace_id == logged[0]
    assert outline(apple) == step(5, "text")[1].text
    assert {span.attributes.get("user.id") for span in apple.roots()} == {"4242"}
    assert "apple" not in json.dumps([span.attributes for span in apple.spans])


def test_the_trace_is_printed_by_its_id_in_the_log(coach: Coach, after_the_chat: After) -> None:
    with coach.shell(step(5, "bash")[2].text.replace("ID", after_the_chat[1][0])) as command:
        printed = command.communicate(timeout=60)[0]
    names = re.findall(r"[a-z].*", step(5, "text")[1].text)
    lines = iter(printed.splitlines())
    assert [name for name in names if not any(name in line for line in lines)] == [], printed


def test_the_request_is_a_trace_with_its_user(after_the_chat: After) -> None:
    stack, _ = after_the_chat
    found = eventually(lambda: traces(stack, "GET /api/users/{user_id}/foods"), seconds=30)
    assert {trace.roots()[0].attributes["user.id"] for trace in found} == {"4242"}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, {("small",): 1}),
        (1, {("anthropic", "success"): 3, ("anthropic", "error"): None, ("usda", "success"): 1}),
        (2, {("ModelRateLimitError", "agent"): 1, ("ModelServerError", "agent"): 1}),
        (3, {("claude-haiku-4-5", "input"): None, ("claude-haiku-4-5", "output"): None}),
    ],
    ids=["foods", "calls", "errors", "tokens"],
)
def test_a_query_of_the_page_answers(
    after_the_chat: After, number: int, expected: dict[tuple[str, ...], int | None]
) -> None:
    stack, _ = after_the_chat
    query = step(5, "promql")[number].text
    prometheus = Prometheus(stack.app_env()["TELEMETRY_PROMETHEUS_URL"])
    names = re.findall(r"\w+", query[query.index("(") : query.index(")")])

    def arrived() -> dict[tuple[str, ...], float]:
        found = {tuple(sample.labels[name] for name in names): sample.value for sample in prometheus.query(query)}
        return {key: value for key, value in found.items() if value}

    eventually(lambda: expected.keys() <= arrived().keys(), seconds=30)
    assert {key: value and arrived()[key] for key, value in expected.items()} == expected


def test_both_failures_are_in_sentry_and_lead_to_their_traces(after_the_chat: After) -> None:
    stack, logged = after_the_chat
    environ = stack.app_env()
    sentry = Sentry(environ["TELEMETRY_SENTRY_URL"], environ["TELEMETRY_SENTRY_TOKEN"])
    issues = eventually(lambda: len(found := sentry.issues()) == 2 and found, seconds=30)
    assert {issue.title.partition(":")[0] for issue in issues} == {"ModelRateLimitError", "ModelServerError"}
    events = [event for issue in issues for event in sentry.events(issue.id)]
    found = [Jaeger(environ["TELEMETRY_JAEGER_URL"]).trace(event.trace_id or "") for event in events]
    assert all(trace and trace.named("telegram.answer") for trace in found)
    linked = {span.attributes.get("sentry.event_id") for trace in found if trace for span in trace.spans}
    assert {event.id.replace("-", "") for event in events} <= linked
    assert logged[-1] in {event.trace_id for event in events}


def test_its_test_passes_and_can_fail(coach: Coach) -> None:
    command = step(6, "bash")[0].text
    with coach.shell(command) as run:
        assert run.communicate(timeout=120)[0].count("1 passed") == 1
    original = (coach.folder / "coach.py").read_text()
    (coach.folder / "coach.py").write_text(original.replace("noted.add(1", "noted.add(2"))
    with coach.shell(command) as run:
        assert "1 failed" in run.communicate(timeout=120)[0]
    (coach.folder / "coach.py").write_text(original)
