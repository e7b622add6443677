"""The Collector: its Builder writes the main program from collector/builder.yaml, Go compiles it.

`gateway` builds the second tier's: the same, and what collector/gateway/builder.yaml adds.
"""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from stack.build.cache import lock
from stack.build.compile import build, compile_program
from stack.build.golang import find_go, go_environment
from stack.build.progress import say
from stack.build.recipes import BUILDER, COLLECTOR_VERSION, binary_path
from stack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from stack.settings import Settings

__all__ = ["collector", "collector_path", "gateway", "gateway_manifest"]

_COLLECTOR = ("builder.yaml",)
_GATEWAY = (*_COLLECTOR, "gateway/builder.yaml")


def collector(settings: Settings) -> Path:
    """The Collector's binary: from the cache, else generated and built."""
    return _built(settings, "otelcol", _COLLECTOR)


def gateway(settings: Settings) -> Path:
    """The binary that agents and gateways run: from the cache, else generated and built."""
    return _built(settings, "otelcol-gateway", _GATEWAY)


def gateway_manifest(settings: Settings) -> dict[str, Any]:
    """What that binary is built of."""
    return _together(settings, _GATEWAY)


def collector_path(settings: Settings) -> Path:
    """Where the cache keeps the Collector of this manifest."""
    return _path(settings, "otelcol", _COLLECTOR)


def _path(settings: Settings, name: str, manifests: Iterable[str]) -> Path:
    texts = b"".join(_file(settings, manifest).read_bytes() for manifest in manifests)
    return binary_path(settings, name, f"{COLLECTOR_VERSION}-{hashlib.sha256(texts).hexdigest()[:12]}")


def _file(settings: Settings, manifest: str) -> Path:
    return settings.root / "collector" / manifest


def _built(settings: Settings, name: str, manifests: tuple[str, ...]) -> Path:
    path = _path(settings, name, manifests)
    if path.is_file():
        return path
    builder = build(settings, BUILDER)
    with lock(settings.cache / "lock" / path.name):
        if not path.is_file():
            go = find_go(settings)
            source = settings.cache / "src" / path.name
            _generate(builder, go, _together(settings, manifests), source)
            compile_program(go, str(source), path)
    return path


def _together(settings: Settings, manifests: Iterable[str]) -> dict[str, Any]:
    """One manifest with the components of all."""
    first, *more = (yaml.safe_load(_file(settings, manifest).read_text(encoding="utf-8")) for manifest in manifests)
    for added in more:
        for kind, modules in added.items():
            first[kind] = [*first.get(kind, ()), *modules]
    return dict(first)


def _generate(builder: Path, go: Path, description: dict[str, Any], source: Path) -> None:
    say("Writing the Collector's main program and fetching its modules ...")
    source.mkdir(parents=True, exist_ok=True)
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
