"""What was found, in the order in which it was found: for people at once, for programs at the end."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from typing import Any, TextIO

from telemetry.trace_tree import printable

__all__ = ["BROKEN", "LOOK", "OFF", "OK", "Finding", "Report"]

OK, BROKEN, OFF, LOOK = "ok", "BROKEN", "off", "LOOK"
"""Works; does not; is not wanted, or cannot be judged; works, and may not be what was meant."""
_COLUMNS = 80


@dataclasses.dataclass(frozen=True)
class Finding:
    """What was found at one hop: its state, and what to do when it is not `ok`."""

    hop: str
    state: str
    detail: str
    remedy: str = ""
    facts: tuple[str, ...] = ()
    """Lines below it."""


class Report:
    """Collects findings; prints each when it comes, or all of them as JSON."""

    def __init__(self, out: TextIO, *, as_json: bool = False) -> None:
        """Write to `out`."""
        self._out, self._as_json = out, as_json
        self.findings: list[Finding] = []
        self.numbers: dict[str, Any] = {}
        """For programs only."""

    def found(self, finding: Finding) -> None:
        """Keep a finding."""
        self.findings.append(finding)
        self.say(f"{finding.state:<7}{finding.hop:<22}", finding.detail)
        for fact in finding.facts:
            self.say(" " * 9, fact)
        if finding.remedy:
            self.say(f"{'':<29}", f"what to do: {finding.remedy}")

    def say(self, head: str, text: str = "") -> None:
        """Print a text in 80 columns, indented by `head`."""
        if self._as_json:
            return
        indent = " " * len(head)
        wrap = textwrap.TextWrapper(_COLUMNS, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False)
        shown = printable(" ".join(text.split()))  # part of it is a server's own text
        print(wrap.fill(shown) if shown else head, file=self._out, flush=True)

    def verdict(self) -> int:
        """Sum up; returns 1 when anything is broken, else 0."""
        broken = [finding.hop for finding in self.findings if finding.state == BROKEN]
        self.say("", f"broken: {', '.join(dict.fromkeys(broken))}" if broken else "all that is switched on works")
        if self._as_json:
            findings = [dataclasses.asdict(finding) for finding in self.findings]
            self._out.write(json.dumps({"ok": not broken, "findings": findings, **self.numbers}, indent=2) + "\n")
        return 1 if broken else 0
