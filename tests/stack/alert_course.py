"""What becomes of an alert, by the clock: pending, firing, told, cleared, told as resolved."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.stack.alert_stage import Stage

FIRED = {"firing", "told firing"}
COLUMNS = ("pending", "firing", "told firing", "over", "cleared", "told resolved")


@dataclass
class Course:
    """One alert, told from others by its labels; moments are seconds since `began`."""

    title: str
    labels: dict[str, str]
    began: float = field(default_factory=time.time)
    moments: dict[str, float] = field(default_factory=dict)

    def watch(self, real: Stage) -> None:
        """Note what has happened since."""
        states = [alert["state"] for alert in real.alerts() if self.labels.items() <= alert["labels"].items()]
        for state in states:
            self.note(state)
        if "firing" in self.moments and not states:
            self.note("cleared")
        for status in ("firing", "resolved"):
            if real.hook.has(status, **self.labels):
                self.note(f"told {status}")

    def selector(self, metric: str, **labels: str) -> str:
        """The series of a metric that tell of it."""
        return metric + "{" + ", ".join(f'{name}="{value}"' for name, value in (self.labels | labels).items()) + "}"

    def note(self, what: str) -> None:
        self.moments.setdefault(what, time.time() - self.began)

    def line(self, columns: Sequence[str] = COLUMNS) -> str:
        """A row of the table."""
        cells = (f"{self.moments[name]:.1f}" if name in self.moments else "" for name in columns)
        return f"{self.title:<16}{self.labels['alertname']:<32}" + "".join(f"{cell:>15}" for cell in cells) + "\n"


def heading(columns: Sequence[str] = COLUMNS) -> str:
    return f"\n{'seconds since':<16}{'alert':<32}" + "".join(f"{name:>15}" for name in columns) + "\n"


def wait_for(real: Stage, courses: Sequence[Course], moments: set[str], seconds: float) -> None:
    """Watch until each has come so far; the test fails if one has not."""
    deadline = time.time() + seconds
    while missing := [course for course in courses if not moments <= set(course.moments)]:
        assert time.time() < deadline, f"{missing} without {moments} after {seconds:g} s"
        for course in courses:
            course.watch(real)
        time.sleep(0.2)
