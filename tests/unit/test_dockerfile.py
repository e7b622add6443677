"""The demo application's Dockerfile, as far as it can be judged without an engine."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from tests.dockerfile import ROOT, instructions, is_sent

COPIED = [path for step in instructions() if step.word == "COPY" and not step.from_stage for path in step.paths[:-1]]
RUN = [step.rest for step in instructions() if step.word == "RUN"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("path", COPIED)
def test_what_is_copied_exists_and_is_sent_to_the_engine(path: str) -> None:
    assert (ROOT / path).exists()
    assert is_sent(path)


@pytest.mark.parametrize("path", [".env", ".git/config", ".stack/secrets.env", "telemetry/__pycache__/x.pyc", "tests"])
def test_what_is_secret_or_large_is_not_sent(path: str) -> None:
    assert not is_sent(path)


@pytest.mark.parametrize("command", RUN)
def test_a_command_is_one_that_a_shell_reads(command: str) -> None:
    done = subprocess.run(["sh", "-n", "-c", command], capture_output=True, text=True, check=False)  # noqa: S603, S607
    assert done.stderr == ""


def test_everything_from_an_index_is_checked_against_a_hash() -> None:
    installs = [install for command in RUN for install in re.findall(r"pip install ([^&]*)", command)]
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-deps /wheels" in install for install in installs)


def test_its_python_is_supported_and_named_with_a_version() -> None:
    bases = {step.rest.split()[0] for step in instructions() if step.word == "FROM"}
    (version,) = {base.removeprefix("python:").split("-")[0] for base in bases}
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_the_application_runs_as_nobody_special_and_gets_its_signals() -> None:
    last = {step.word: step.rest for step in instructions()}
    assert last["USER"] not in ("root", "0")
    assert last["ENTRYPOINT"].startswith("[")


def test_the_demos_lock_names_the_versions_that_are_tested() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE))

    assert pins("demo") < pins("dev")
