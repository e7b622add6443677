"""Virtual environments in the user's cache, one per lock file's content."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stack.build.cache import lock
from stack.build.progress import say
from stack.errors import StackError

if TYPE_CHECKING:
    from stack.settings import Settings

__all__ = ["ensure_venv", "lock_file", "locked_version", "venv_path"]


def venv_path(settings: Settings, name: str) -> Path:
    """Where the environment of requirements/NAME.lock lives; a changed lock or Python is another place."""
    digest = hashlib.sha256(lock_file(settings, name).read_bytes()).hexdigest()[:12]
    return settings.cache / "venv" / f"{name}-py{sys.version_info.major}.{sys.version_info.minor}-{digest}"


def ensure_venv(settings: Settings, name: str) -> Path:
    """The environment, installed if it is not there; an interrupted install starts again from pip's own cache."""
    path = venv_path(settings, name)
    # A virtual environment cannot be renamed into place (its scripts hold its path): a marker says it is whole.
    complete = path / ".complete"
    if complete.is_file():
        return path
    with lock(settings.cache / "lock" / path.name):
        if not complete.is_file():
            say(f"Installing requirements/{name}.lock into {path} ...")
            shutil.rmtree(path, ignore_errors=True)
            _install(path, lock_file(settings, name))
            complete.touch()
    return path


def locked_version(settings: Settings, lock_name: str, package: str) -> str:
    """The version of a package in a lock file."""
    for line in lock_file(settings, lock_name).read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{package}=="):
            return line.split("==")[1].split()[0]
    raise StackError(f"requirements/{lock_name}.lock does not pin {package}.", todo="Run make lock.")


def lock_file(settings: Settings, name: str) -> Path:
    """The file that names the packages of an environment."""
    return settings.root / "requirements" / f"{name}.lock"


def _install(path: Path, lock_file: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    _run([str(uv), "venv", "--quiet", "--python", sys.executable, str(path)])
    python = str(path / "bin" / "python")
    _run([str(uv), "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(lock_file)])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        raise StackError(f"{command[0]} does not run: {error}.", todo="Run make install.") from error
    except subprocess.CalledProcessError as error:
        raise StackError(
            f"Installing from {command[-1]} failed.",
            detail=error.stderr.strip()[-2000:],
            todo="With the network back, run the same command again; what was fetched is kept.",
        ) from error
