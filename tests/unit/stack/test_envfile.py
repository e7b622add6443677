"""Files of KEY=VALUE lines."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from stack import envfile
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("A=1", {"A": "1"}, id="plain"),
        pytest.param("  export A = 1  ", {"A": "1"}, id="export and spaces"),
        pytest.param("# A=1", {}, id="comment"),
        pytest.param("A=1 # why", {"A": "1"}, id="comment after the value"),
        pytest.param("A=a#b", {"A": "a#b"}, id="hash inside a value"),
        pytest.param("A=", {"A": ""}, id="empty"),
        pytest.param("A='x # y' # z", {"A": "x # y"}, id="quoted hash"),
        pytest.param('A="k=v"', {"A": "k=v"}, id="equals sign in quotes"),
        pytest.param("A=$HOME", {"A": "$HOME"}, id="nothing is expanded"),
    ],
)
def test_parse_reads_a_line_as_compose_does(line: str, expected: dict[str, str]) -> None:
    assert envfile.parse(line) == expected


def test_parse_names_the_line_but_not_its_content() -> None:
    with pytest.raises(StackError, match=r"\.env, line 2") as raised:
        envfile.parse("A=1\nhunter2\n")
    assert "hunter2" not in str(raised.value)


def test_a_missing_file_has_no_values(tmp_path: Path) -> None:
    assert envfile.read(tmp_path / ".env") == {}


def test_write_private_replaces_a_file_that_others_could_read(tmp_path: Path) -> None:
    path = tmp_path / "app.env"
    path.write_text("OLD=1", encoding="utf-8")
    envfile.write_private(path, {"TOKEN": "x", "URL": "http://127.0.0.1:1"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert envfile.read(path) == {"TOKEN": "x", "URL": "http://127.0.0.1:1"}
