"""The three kill switches while the application runs: a file that is read again every two seconds.

`TELEMETRY_SWITCHES_FILE` names it; its lines are those of the environment: `ENABLE_TRACING=false`. Without the file, or
without a line, a switch is as it was at the start. What was off at the start has no exporters and stays off.

Off, a request costs the look at one attribute: no trace is recorded, also none that fails; nothing is added to a
metric, and what was added before goes on being sent as it stands; no error and no transaction goes to Sentry.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry import _parse
from telemetry._guard import Guard
from telemetry.instrumentation._handle import Handle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.settings import Settings

__all__ = ["Switches", "SwitchesFile", "watch"]

NAMES = {"ENABLE_TRACING": "tracing", "ENABLE_METRICS": "metrics", "ENABLE_SENTRY": "sentry"}
_EVERY_SECONDS = 2.0
_logger = logging.getLogger("telemetry")
_reading = Guard("read the switches file")


class Switches:
    """What of a set-up is on now; read on every call, so plain attributes."""

    __slots__ = ("metrics", "sentry", "tracing")

    def __init__(self) -> None:
        """All on."""
        self.tracing: bool = True
        self.metrics: bool = True
        self.sentry: bool = True


class SwitchesFile:
    """Sets switches by a file."""

    def __init__(self, path: str, switches: Switches, settings: Settings) -> None:
        """Prepare; `settings` tell what was on at the start."""
        self._path, self._switches = Path(path), switches
        self._fixed = {name for name in NAMES if not getattr(settings, name.lower())}
        self._text = ""
        self._stopped = threading.Event()

    def read(self) -> None:
        """Read the file, where it has changed, and set the switches."""
        text = self._path.read_text(encoding="utf-8") if self._path.exists() else ""
        if text == self._text:
            return
        self._text = text
        wanted = dict(self._lines(text))
        for name, switch in NAMES.items():
            on = wanted.get(name, True)
            if on != getattr(self._switches, switch):
                setattr(self._switches, switch, on)
                _logger.warning("%s is %s from now on, by %s.", name, str(on).lower(), self._path)

    def _lines(self, text: str) -> Iterator[tuple[str, bool]]:
        for line in text.splitlines():
            name, _, value = (part.strip() for part in line.partition("="))
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                on = _parse.boolean(value)
            except ValueError:
                on = None
            if name not in NAMES or on is None:
                expected = ", ".join(NAMES)
                _logger.error('%s: a line must be one of %s, then = and true or false (got "%s"); it has no effect.',
                              self._path, expected, line.strip()[:80])  # fmt: skip
            elif name in self._fixed and on:
                _logger.warning("%s was false at the start; to switch it on takes a restart.", name)
            else:
                yield name, on

    def start(self) -> None:
        """Read now, and every two seconds in a daemon thread."""
        with _reading:
            self.read()
        threading.Thread(target=self._run, name="telemetry-switches", daemon=True).start()

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_SECONDS):
            with _reading:
                self.read()

    def stop(self) -> None:
        """End the thread; the switches stay as they are."""
        self._stopped.set()

    def start_again(self) -> None:
        """Go on in a forked child, which has no threads but the one that forked."""
        if not self._stopped.is_set():
            self._stopped = threading.Event()
            self.start()


_watching: weakref.WeakSet[SwitchesFile] = weakref.WeakSet()


def watch(settings: Settings, switches: Switches) -> Handle:
    """Follow the file that the settings name, if they do; closing the handle ends it."""
    if not settings.switches_file:
        return Handle()
    file = SwitchesFile(settings.switches_file, switches, settings)
    file.start()
    _watching.add(file)

    def stop() -> None:
        _watching.discard(file)
        file.stop()

    return Handle(stop)


def _after_fork() -> None:
    for file in list(_watching):
        file.start_again()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
