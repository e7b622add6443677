"""The Dockerfile as instructions, for tests on machines without an engine."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word, and the rest with its continued lines."""

    word: str
    rest: str

    @property
    def paths(self) -> list[str]:
        """What COPY names, the target last."""
        return [part for part in self.rest.split() if not part.startswith("--")]

    @property
    def from_stage(self) -> bool:
        """Whether COPY takes from another stage."""
        return self.rest.startswith("--from=")


def instructions() -> list[Instruction]:
    """Every instruction in order, without comments."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(None, 1)) for line in whole.splitlines() if line.strip()]


def is_sent(path: str) -> bool:
    """Tell whether `.dockerignore` lets a path into the build; as Docker reads it, the last line that matches wins."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!").removeprefix("**/")
        if line.strip() and not line.startswith("#"):
            parents = [path, *(str(parent) for parent in Path(path).parents)]
            names = {*parents, *Path(path).parts} - {"."}
            if any(fnmatch.fnmatchcase(name, pattern) for name in names):
                sent = line.startswith("!")
    return sent
