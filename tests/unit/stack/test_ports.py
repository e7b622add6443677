"""Is a port free, and who has it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from stack import ports
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_somebody_listens_on_is_not_free(taken: int) -> None:
    assert not ports.is_free(taken)


def test_the_holder_is_named_with_its_pid(taken: int) -> None:
    assert f"(pid {os.getpid()})" in ports.holder(taken)


def test_the_error_names_port_variable_and_holder(taken: int) -> None:
    with pytest.raises(StackError, match=rf"{taken} \(JAEGER_PORT\) is held by .*pid {os.getpid()}") as raised:
        ports.check_free({"JAEGER_PORT": taken})
    assert "Nothing was started" in str(raised.value)
    assert "JAEGER_PORT=" in raised.value.todo


def test_free_ports_pass(taken: int) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        free = server.getsockname()[1]
    assert free != taken
    ports.check_free({"JAEGER_PORT": free})


def test_no_port_is_given_twice_though_its_server_is_down() -> None:
    names = [str(number) for number in range(500)]
    given = [*ports.free_ports(names).values(), *ports.free_ports(names).values()]
    assert len(set(given)) == len(given)
