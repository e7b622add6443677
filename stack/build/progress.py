"""How far a build is: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["PlainReporter", "Reporter", "TerminalReporter", "reporter", "say"]

_console = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """One line for the person who waits."""
    _console.print(text, markup=False, soft_wrap=True)


class Reporter(Protocol):
    """What a build tells while it runs."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def update(self, done: int, note: str = "") -> None:
        """`done` of the total packages are compiled; `note` is what happens now."""


class PlainReporter:
    """A line at the start, every `every` seconds, and at the end."""

    def __init__(self, title: str, total: int, *, every: float = 5.0) -> None:
        self._title, self._total, self._every = title, total, every
        self._started = time.monotonic()
        self._last = float("-inf")
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._last = float("-inf")
        self.update(self._done)

    def update(self, done: int, note: str = "") -> None:
        """Print, unless the last line is too recent."""
        self._done = done
        now = time.monotonic()
        if now - self._last < self._every:
            return
        self._last = now
        seconds = int(now - self._started)
        say(f"{self._title}: {done}/{self._total} packages, {seconds} s {note}".rstrip())


class TerminalReporter:
    """A bar that moves."""

    def __init__(self, title: str, total: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=_console,
        )
        self._task = self._bar.add_task(title, total=total, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, done: int, note: str = "") -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, note=note)


def reporter(title: str, total: int) -> Reporter:
    """The one that fits where standard error goes."""
    return TerminalReporter(title, total) if _console.is_terminal else PlainReporter(title, total)
