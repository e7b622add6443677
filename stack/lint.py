"""Rules that no validator of the parts' own knows: variables, component names, order. Text in, problems out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = [
    "collector_problems",
    "documented_variables",
    "laid_over",
    "undocumented",
    "used_variables",
    "without_default",
]

Config = dict[str, Any]
_KINDS = ("receivers", "processors", "exporters", "extensions", "connectors")
_ENV = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)(:-)?")
_BRACED = re.compile(r"(?<!\$)\$\{(?:env:)?([A-Z][A-Z0-9_]*)")
_BARE = re.compile(r"(?<!\$)\$([A-Z][A-Z0-9_]*)")
_DOCUMENTED = re.compile(r"^#?\s?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
_NO_LIST = re.compile(r"\$\{env:[A-Z_]+:-\[(?P<names>.*)\]\}")


def without_default(text: str) -> list[str]:
    """Variables written `${env:NAME}`: unset they become empty, and the part starts with nonsense."""
    return [name for name, default in _ENV.findall(_without_comments(text)) if not default]


def used_variables(text: str) -> set[str]:
    """Every variable a configuration file reads: `${env:NAME...}`, `${NAME...}` or `$NAME`."""
    plain = _without_comments(text)
    return {*_BRACED.findall(plain), *_BARE.findall(plain)}


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def documented_variables(env_example: str) -> set[str]:
    """The variables `.env.example` shows, commented out or not."""
    return set(_DOCUMENTED.findall(env_example))


def undocumented(used: Mapping[str, str], documented: Collection[str], internal: Collection[str]) -> list[str]:
    """Variables that neither a user can look up nor the stack sets itself; `used` maps them to the file."""
    return [
        f"{file}: {name} is neither in .env.example nor set by the stack itself."
        for name, file in used.items()
        if name not in documented and name not in internal
    ]


def laid_over(below: Any, above: Any) -> Any:  # noqa: ANN401 - any YAML value
    """What the Collector makes of a configuration and one laid over it: maps are merged, all else is replaced."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return below | {key: laid_over(below[key], value) if key in below else value for key, value in above.items()}


def collector_problems(config: Config, builder: Config, declaring: Config | None = None) -> Iterator[str]:
    """What breaks a rule in one Collector configuration; `declaring` is the part whose components must be in use."""
    declared = {kind: set((declaring or config).get(kind) or {}) for kind in _KINDS}
    used = _used_components(config)
    for kind, names in declared.items():
        yield from (f"{kind}: {name} is declared and in no pipeline." for name in sorted(names - used))
        yield from (f"{kind}: {name} must be named type/role." for name in sorted(names) if "/" not in name)
        yield from (
            f"{kind}: {name} is not in collector/builder.yaml, so the native Collector does not have it."
            for name in sorted(names)
            if not _is_built(kind, name, builder)
        )
    connectors = set(config.get("connectors") or {})
    for name, pipeline in config["service"]["pipelines"].items():
        if set(pipeline["receivers"]) <= connectors:  # the limiter stood before the connector
            continue
        if not (pipeline.get("processors") or [""])[0].startswith("memory_limiter"):
            yield f"pipeline {name}: the memory limiter must be its first processor."


def _used_components(config: Config) -> set[str]:
    service = config["service"]
    used = set(service.get("extensions") or [])
    for pipeline in service["pipelines"].values():
        for names in pipeline.values():
            used |= set(_names(names))
    # What a variable may bring into a pipeline is declared on purpose.
    variable = [n for p in service["pipelines"].values() for n in p.values() if isinstance(n, str)]
    return used | (set(config.get("exporters") or {}) if variable else set())


def _names(names: list[str] | str) -> list[str]:
    if isinstance(names, list):
        return names
    match = _NO_LIST.fullmatch(names)
    return [name.strip() for name in match["names"].split(",")] if match else []


def _is_built(kind: str, name: str, builder: Config) -> bool:
    built = {entry["gomod"].split()[0].rsplit("/", 1)[1] for entry in builder.get(kind) or []}
    plain = name.split("/", maxsplit=1)[0].replace("_", "")
    return bool(built & {plain, plain + kind.removesuffix("s")})
