"""Compile one Go program with progress; Go's own build cache lets an interrupted build go on where it was."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from stack.build.cache import lock
from stack.build.golang import find_go, go_environment
from stack.build.progress import reporter, say
from stack.build.recipes import binary_path
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from stack.build.recipes import Recipe
    from stack.settings import Settings

__all__ = ["build", "compile_program", "count_packages", "run_go"]

_RETRY = "With the network back, run the same command again; what is compiled is kept."


def build(settings: Settings, recipe: Recipe) -> Path:
    """The program's binary: from the cache, else built."""
    path = binary_path(settings, recipe.name, recipe.version)
    if path.is_file():
        return path
    with lock(settings.cache / "lock" / path.name):
        if not path.is_file():
            go = find_go(settings)
            source = _download(go, recipe)
            compile_program(go, source, path, package=recipe.package, tags=recipe.tags)
    return path


def _download(go: Path, recipe: Recipe) -> str:
    """Fetch the module and say where Go keeps its source. `go install` refuses modules with replace directives."""
    say(f"Fetching {recipe.module} {recipe.version} ...")
    answer = run_go([str(go), "mod", "download", "-json", f"{recipe.module}@{recipe.version}"], cwd=None)
    return str(json.loads(answer)["Dir"])


def run_go(command: list[str], *, cwd: str | None) -> str:
    """Run a go command to its end and return what it printed; StackError with its words if it fails."""
    done = subprocess.run(command, cwd=cwd, env=go_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise StackError(f"`{' '.join(command[:3])}` failed.", detail=words, todo=_RETRY)
    return done.stdout


def compile_program(go: Path, source: str, path: Path, *, package: str = ".", tags: str = "") -> None:
    """Build a package in its module's folder and put the binary at `path`, whole or not at all."""
    flags = ["-trimpath", *(["-tags", tags] if tags else [])]
    listed = run_go([str(go), "list", "-deps", *flags, "-f", "{{.ImportPath}} {{.Stale}}", package], cwd=source)
    total, done = count_packages(listed)
    part = path.with_name(path.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    command = [str(go), "build", "-v", *flags, "-ldflags", "-s -w", "-o", str(part), package]
    words = _run_with_progress(command, source, title=path.name, total=total, done=done)
    if words:
        raise StackError(f"Building {path.name} failed.", detail=words, todo=_RETRY)
    part.replace(path)


def count_packages(listed: str) -> tuple[int, int]:
    """Of the lines `import/path stale?`: how many packages there are, and how many Go has compiled already."""
    stale = [line.rpartition(" ")[2] for line in listed.splitlines() if line.strip()]
    return len(stale), stale.count("false")


def _run_with_progress(command: list[str], cwd: str, *, title: str, total: int, done: int) -> str:
    """Run `go build -v`, which names each package it compiles; return the words of a failure, else nothing."""
    words: list[str] = []
    with (
        reporter(title, total) as progress,
        subprocess.Popen(command, cwd=cwd, env=go_environment(), stderr=subprocess.PIPE, text=True) as process,
    ):
        progress.update(done)
        try:
            for line in process.stderr or ():
                words.append(line.rstrip())
                done = min(done + 1, total)
                progress.update(done, "linking" if done == total else line.strip()[-40:])
            code = process.wait()
        except BaseException:
            process.terminate()  # interrupted: a compiler that goes on alone would race with the next build
            raise
        progress.update(total if code == 0 else done)
    return "\n".join(words[-30:]) if code else ""
