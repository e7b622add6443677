"""Builds on a machine without Go, and builds that are cut off."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from stack import settings
from stack.build import golang
from stack.build.recipes import RECIPES, binary_path
from tests.stack.stack_helpers import no_network

if TYPE_CHECKING:
    from pathlib import Path

_BUILD = """
import signal
from stack import settings
from stack.build import compile, recipes
signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background ignores it
compile.build(settings.load(), next(r for r in recipes.RECIPES if r.name == "process-compose"))
"""


def test_without_go_on_path_the_packaged_one_compiles(tmp_path: Path) -> None:
    found = settings.load({"STACK_CACHE_DIR": str(tmp_path), "PATH": "/nowhere"})
    go = golang.find_go(found)
    assert go.is_relative_to(tmp_path)
    (tmp_path / "main.go").write_text('package main\n\nfunc main() { println("built") }\n', encoding="utf-8")
    subprocess.run(
        [go, "build", "-o", "hello", "main.go"], cwd=tmp_path, env=golang.go_environment(), check=True, timeout=300
    )
    assert subprocess.run([tmp_path / "hello"], capture_output=True, text=True, check=True).stderr == "built\n"


def test_an_interrupted_build_goes_on_where_it_was(tmp_path: Path) -> None:
    environment = {**os.environ, "STACK_CACHE_DIR": str(tmp_path / "cache"), "GOCACHE": str(tmp_path / "go")}
    recipe = next(recipe for recipe in RECIPES if recipe.name == "process-compose")
    binary = binary_path(settings.load(environment), recipe.name, recipe.version)
    first = _start(environment)
    assert first.stderr
    reached = next(done for line in first.stderr if (done := _packages(line)) > 0)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    assert not binary.exists()
    _, said = _start(environment).communicate(timeout=600)
    counts = [done for line in said.splitlines() if (done := _packages(line)) >= 0]
    assert counts[0] > 0, said
    assert counts[0] >= reached // 2
    assert binary.is_file()


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _BUILD]
    return subprocess.Popen(command, cwd=settings.ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def _packages(line: str) -> int:
    match = re.search(r"(\d+)/\d+ packages", line)
    return int(match[1]) if match else -1


def test_a_build_that_fails_says_what_failed_and_what_to_do(tmp_path: Path) -> None:
    environment = {**os.environ, "STACK_CACHE_DIR": str(tmp_path), "GOMODCACHE": str(tmp_path / "mod")}
    command = [*no_network(), sys.executable, "-m", "stack", "build"]
    done = subprocess.run(
        command, cwd=settings.ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    first_need = "mod download` failed" if shutil.which("go") else "requirements/go.lock"
    assert first_need in done.stderr
    assert "run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
