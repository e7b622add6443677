"""The command line as a person meets it: help, slips, an interrupt, a reader that has had enough."""

from __future__ import annotations

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from telemetry import cli
from telemetry._arguments import COUNT, SECONDS, SHARE, whole
from tests.conftest import clean_environment

COMMAND = [sys.executable, "-m", "telemetry"]


def commands() -> list[str]:
    (choices,) = [a.choices for a in cli._parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return list(choices)


@pytest.mark.parametrize("command", ["", *commands()])
def test_the_help_of_a_command_is_80_columns_wide_and_says_what_it_does(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        cli.main([*command.split(), "--help"])
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    paragraphs = said.split("\n\n")
    assert paragraphs[1][0].isupper()
    assert paragraphs[1].rstrip().endswith(".")


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_that_of_a_slip(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main([]) == 2
    captured = capsys.readouterr()
    assert (captured.out, "find each again" in captured.err) == ("", True)


NUMBERS = {
    "a word": (COUNT, "many", "must be a number of at least 0 (got many)"),
    "no number": (COUNT, "nan", "must be a number of at least 0 (got nan)"),
    "without end": (COUNT, "inf", "must be a number of at least 0 (got inf)"),
    "a share in percent": (SHARE, "10%", "must be a number between 0 and 1 (got 10%)"),
    "no time": (SECONDS, "0", "must be a number of seconds above 0 (got 0)"),
    "half a process": (whole, "1.5", "must be a whole number of at least 1 (got 1.5)"),
    "no process": (whole, "0", "must be a whole number of at least 1 (got 0)"),
}


@pytest.mark.parametrize(("read", "text", "says"), NUMBERS.values(), ids=NUMBERS.keys())
def test_a_number_that_cannot_be_is_told_with_what_can(read: object, text: str, says: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as told:
        read(text)  # type: ignore[operator]
    assert str(told.value) == says


@pytest.mark.parametrize("arguments", [["catalog"], ["settings"], ["--help"]], ids=" ".join)
def test_a_pipe_that_is_closed_ends_it_without_a_word(arguments: list[str]) -> None:
    done = subprocess.run(  # noqa: S602 - of the tests' own
        f"{' '.join([*COMMAND, *arguments])} | true", shell=True, capture_output=True, text=True,
        env=clean_environment(), check=False,
    )  # fmt: skip
    assert done.stderr == ""


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Where these tests run in the background an interrupt is ignored, and a child would inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_it_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = subprocess.Popen(  # noqa: S603 - of the tests' own
            [*COMMAND, "losses"], env=clean_environment() | {"TELEMETRY_PROMETHEUS_URL": url},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        with silent.accept()[0]:
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=10)
    assert (process.returncode, *said) == (130, "", "")
