"""Which versions are installed, and which of them this one was not tested with."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from telemetry._extras import DISTRIBUTION
from telemetry._version import __version__
from telemetry.doctor.findings import BROKEN, OFF, OK, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Library", "examine", "libraries"]

_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


@dataclass(frozen=True)
class Library:
    """A package that this one uses: the range it is supported in, the extra that brings it, what is installed."""

    name: str
    supported: str
    extra: str
    installed: str | None

    @property
    def fits(self) -> bool:
        """Whether what is installed, if anything is, lies in the range."""
        return self.installed is None or Requirement(f"x{self.supported}").specifier.contains(
            self.installed, prereleases=True
        )


def libraries(requirements: list[str] | None = None) -> list[Library]:
    """Return each library of the distribution's own list, or of another one."""
    parsed = [(Requirement(text), text) for text in (_listed() if requirements is None else requirements)]
    return [
        Library(one.name, str(one.specifier), "".join(_EXTRA.findall(text)), _installed(one.name))
        for one, text in parsed
    ]


def _listed() -> list[str]:
    try:
        return requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from its sources
        return []


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def examine(found: list[Library]) -> Iterator[Finding]:
    """Tell what is installed, and each package that is not supported in its version."""
    if not found:
        yield Finding("versions", OFF, f"{DISTRIBUTION} is not installed, so that there is nothing to compare with",
                      "pip install it, editable where you work on it: pip install --editable .")  # fmt: skip
        return
    there = [library for library in found if library.installed]
    wrong = [library for library in there if not library.fits]
    for library in wrong:
        extra = f"[{library.extra}]" if library.extra else ""
        yield Finding(
            "versions", BROKEN, f"{library.name} {library.installed} is not supported: {library.supported} is",
            f'pip install "{DISTRIBUTION}{extra}", and see what holds {library.name} back: pip check',
        )  # fmt: skip
    missing = ", ".join(library.name for library in found if not library.installed)
    facts = (
        ", ".join(f"{library.name} {library.installed}" for library in there),
        *([f"not installed: {missing}"] if missing else []),
    )
    detail = f"{DISTRIBUTION} {__version__}, Python {platform.python_version()}"
    if not wrong:
        yield Finding("versions", OK, f"{detail}; all libraries in their supported ranges", facts=facts)
    else:
        yield Finding("versions", OK, f"{detail}; the others are supported", facts=facts)
