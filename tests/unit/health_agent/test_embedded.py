"""The list of processes that use the embedded server."""

import json
import os
from pathlib import Path

import pytest

from examples.health_agent.embedded import _forget_the_dead

NEVER_A_PID = 2**22 + 1


def test_a_killed_process_is_taken_off_the_list(tmp_path: Path) -> None:
    users = tmp_path / "users.json"
    users.write_text(json.dumps([os.getpid(), NEVER_A_PID]))
    _forget_the_dead(users)
    assert json.loads(users.read_text()) == [os.getpid()]


@pytest.mark.parametrize("content", [None, "", "[1,"])
def test_a_list_that_cannot_be_read_is_left_alone(tmp_path: Path, content: str | None) -> None:
    users = tmp_path / "users.json"
    if content is not None:
        users.write_text(content)
    _forget_the_dead(users)
    assert (users.read_text() if users.exists() else None) == content
