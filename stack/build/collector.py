"""The Collector: its Builder writes the main program from collector/builder.yaml, Go compiles it."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

import yaml

from stack.build.cache import lock
from stack.build.compile import build, compile_program
from stack.build.golang import find_go, go_environment
from stack.build.progress import say
from stack.build.recipes import BUILDER, COLLECTOR_VERSION, binary_path
from stack.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

__all__ = ["collector", "collector_path"]


def collector_path(settings: Settings) -> Path:
    """Where the cache keeps the Collector of this manifest."""
    digest = hashlib.sha256(_manifest(settings).read_bytes()).hexdigest()[:12]
    return binary_path(settings, "otelcol", f"{COLLECTOR_VERSION}-{digest}")


def collector(settings: Settings) -> Path:
    """The Collector's binary: from the cache, else generated and built."""
    path = collector_path(settings)
    if path.is_file():
        return path
    builder = build(settings, BUILDER)
    with lock(settings.cache / "lock" / path.name):
        if not path.is_file():
            go = find_go(settings)
            source = settings.cache / "src" / path.name
            _generate(builder, go, _manifest(settings), source)
            compile_program(go, str(source), path)
    return path


def _manifest(settings: Settings) -> Path:
    return settings.root / "collector" / "builder.yaml"


def _generate(builder: Path, go: Path, manifest: Path, source: Path) -> None:
    say("Writing the Collector's main program and fetching its modules ...")
    source.mkdir(parents=True, exist_ok=True)
    description = yaml.safe_load(manifest.read_text(encoding="utf-8"))
    description["dist"] |= {"output_path": str(source), "go": str(go)}
    written = source / "builder.yaml"
    written.write_text(yaml.safe_dump(description), encoding="utf-8")
    command = [str(builder), "--config", str(written), "--skip-compilation"]
    done = subprocess.run(command, env=go_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(
            "The Collector Builder failed.",
            detail=(done.stderr or done.stdout).strip()[-2000:],
            todo="With the network back, run the same command again.",
        )
