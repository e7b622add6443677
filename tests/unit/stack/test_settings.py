"""Environment and `.env` → Settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stack import settings
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_defaults_are_the_documented_ports(tmp_path: Path) -> None:
    found = settings.load({"HOME": "/home/a"}, root=tmp_path)
    assert found.ports == settings.PORTS | settings.INTERNAL_PORTS
    assert found.data == tmp_path / ".stack"
    assert str(found.cache) == "/home/a/.cache/health-agent-telemetry"


def test_the_process_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PROMETHEUS_PORT=1111\nJAEGER_PORT=2222\n", encoding="utf-8")
    found = settings.load({"PROMETHEUS_PORT": "3333"}, root=tmp_path)
    assert (found.ports["PROMETHEUS_PORT"], found.ports["JAEGER_PORT"]) == (3333, 2222)


def test_an_empty_variable_means_the_default(tmp_path: Path) -> None:
    assert settings.load({"JAEGER_PORT": "", "STACK": ""}, root=tmp_path).ports["JAEGER_PORT"] == 16686


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param({"JAEGER_PORT": "x"}, r'JAEGER_PORT must be a port .* \(got "x"\)', id="no number"),
        pytest.param({"JAEGER_PORT": "70000"}, "JAEGER_PORT must be a port between 1 and 65535", id="too large"),
        pytest.param({"JAEGER_PORT": "9090"}, "JAEGER_PORT and PROMETHEUS_PORT are both 9090", id="twice the same"),
        pytest.param({"STACK": "podman"}, r'STACK must be docker or native \(got "podman"\)', id="unknown mode"),
        pytest.param({"STACK_START_TIMEOUT": "soon"}, "STACK_START_TIMEOUT must be a number", id="no time"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, environment: dict[str, str], message: str) -> None:
    with pytest.raises(StackError, match=message):
        settings.load(environment, root=tmp_path)


def test_the_cache_follows_xdg(tmp_path: Path) -> None:
    found = settings.load({"XDG_CACHE_HOME": str(tmp_path / "c")}, root=tmp_path)
    assert found.cache == tmp_path / "c" / "health-agent-telemetry"


def test_repr_keeps_the_environment_to_itself(tmp_path: Path) -> None:
    assert "hunter2" not in repr(settings.load({"POSTGRES_PASSWORD": "hunter2"}, root=tmp_path))
