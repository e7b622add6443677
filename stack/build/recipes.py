"""Which programs, at which version, from which Go module. compose.yaml pins the images of the same versions."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from stack.settings import Settings

__all__ = [
    "ALERTMANAGER_VERSION",
    "BUILDER",
    "COLLECTOR_VERSION",
    "JAEGER_VERSION",
    "PROMETHEUS_VERSION",
    "RECIPES",
    "Recipe",
    "binary_path",
]

# The last one whose module holds the page it serves; later ones do not compile from the module alone.
ALERTMANAGER_VERSION = "0.31.1"
COLLECTOR_VERSION = "0.158.0"
PROMETHEUS_VERSION = "3.16.0"
# The module's tag and the product's version differ by history: 1.76.0 is the source of 2.13.0.
JAEGER_VERSION = "2.13.0"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A Go program: where its source comes from and how it is compiled."""

    name: str
    module: str
    version: str
    package: str
    tags: str = ""
    tool: bool = False  # needed for building only


BUILDER = Recipe(
    name="builder",
    module="go.opentelemetry.io/collector/cmd/builder",
    version=f"v{COLLECTOR_VERSION}",
    package=".",
    tool=True,
)


def _prometheus(name: str) -> Recipe:
    # The tag leaves out every service discovery: nothing is scraped, and half the binary goes.
    module = "github.com/prometheus/prometheus"
    return Recipe(name=name, module=module, version="v0.316.0", package=f"./cmd/{name}", tags="remove_all_sd")


def _alertmanager(name: str) -> Recipe:
    module = "github.com/prometheus/alertmanager"
    return Recipe(name=name, module=module, version=f"v{ALERTMANAGER_VERSION}", package=f"./cmd/{name}")


RECIPES = (
    BUILDER,
    Recipe(name="process-compose", module="github.com/f1bonacc1/process-compose", version="v1.87.0", package="."),
    _prometheus("prometheus"),
    _prometheus("promtool"),
    _alertmanager("alertmanager"),
    _alertmanager("amtool"),
    Recipe(name="jaeger", module="github.com/jaegertracing/jaeger", version="v1.76.0", package="./cmd/jaeger"),
)


def binary_path(settings: Settings, name: str, version: str) -> Path:
    """Where the cache keeps a binary: a file per name and version, apart for each platform."""
    target = f"{platform.system()}-{platform.machine()}".lower()
    return settings.cache / "bin" / target / f"{name}-{version}"
