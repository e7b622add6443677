"""The documents as tests read them: their code blocks, and changes to a file as a reader makes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
DOCUMENTS = [README, *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^ {0,3}```(\w*) ?([^\n`]*)\n(.*?)^ {0,3}```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block: its language, the file it is, its text, and the heading above it."""

    language: str
    name: str
    text: str
    section: str


def blocks(document: Path, language: str = "") -> list[Block]:
    """Return the code blocks of a document in order, or those of a language."""
    text = document.read_text()
    found = [Block(hit[1], hit[2], hit[3], _section(text[: hit.start()])) for hit in _BLOCK.finditer(text)]
    return [block for block in found if language in ("", block.language)]


def _section(before: str) -> str:
    headings = re.findall(r"^#+ (.*)$", before, re.MULTILINE)
    return headings[-1] if headings else ""


def prose(document: Path) -> str:
    """Return a document without its code blocks."""
    return _BLOCK.sub("", document.read_text())


def changed(text: str, diff: str) -> str:
    """Return a file with a diff's hunks made in it, each found by its lines as a reader would find it."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE)[1:]:
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        if text.count(before) != 1:
            raise ValueError(f"the hunk must be found once (got {text.count(before)} times):\n{before}")
        text = text.replace(before, after)
    return text
