"""How many values a label, and how many series a metric, may have in this process; what goes past that is counted.

Past its bound a label's value becomes `other`. The product of labels within their bounds may still be large: a metric
that has made `SERIES_LIMIT` combinations puts what is new into the one where every open label is `other`. Values are
cleaned as all texts that leave.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from telemetry.catalog import OTHER, SERIES_LIMIT
from telemetry.redaction import clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.catalog import Label, Metric

__all__ = ["Bounds"]

Labels = dict[str, str]


class Bounds:
    """What one meter provider has seen of each label of each metric; exact under threads."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.overflows: Counter[str] = Counter()
        """How many recordings had a label that became `other`, by the metric's name in Prometheus."""
        self._values: dict[tuple[str, str], set[str]] = {}
        self._known: dict[str, dict[tuple[Any, ...], Labels]] = {}
        self.begin_again()

    def begin_again(self) -> None:
        """Count anew, as a forked child does; what was seen stays known."""
        self._lock = threading.Lock()
        self.overflows.clear()

    def of(self, metric: Metric, labels: Mapping[str, Any]) -> Labels:
        """Return the metric's labels within their bounds, and no others; raises `KeyError` where one is missing."""
        return self._found(metric, tuple([labels[label.name] for label in metric.labels]))

    def of_any(self, metric: Metric, attributes: Mapping[str, Any] | None) -> Labels:
        """Return the metric's labels from any attributes, within their bounds; one that is missing is `other`."""
        given = attributes or {}
        return self._found(metric, tuple([given.get(label.name, OTHER) for label in metric.labels]))

    def _found(self, metric: Metric, raw: tuple[Any, ...]) -> Labels:
        known = self._known.setdefault(metric.name, {})
        try:
            found = known.get(raw)
        except TypeError:  # a list, as an attribute may be, is no key
            found = None
        return self._new(metric, raw, known) if found is None else found

    def _new(self, metric: Metric, raw: tuple[Any, ...], known: dict[tuple[Any, ...], Labels]) -> Labels:
        """Return the labels of a combination that is not known; as it is remembered only within the bounds."""
        said = tuple([_text(value) for value in raw])
        with self._lock:
            if any(not label.values for label in metric.labels):
                self.overflows[metric.prometheus] += (
                    0  # a series at 0 shows that it is watched, and the first one past it
                )
            values = tuple([self._value(metric, label, text) for label, text in zip(metric.labels, said, strict=True)])
            if values not in known and len(known) >= SERIES_LIMIT:
                values = tuple([_past_all(label, text) for label, text in zip(metric.labels, values, strict=True)])
            if values != said:
                self.overflows[metric.prometheus] += 1
            return known.setdefault(values, {label.name: v for label, v in zip(metric.labels, values, strict=True)})

    def _value(self, metric: Metric, label: Label, text: str) -> str:
        if label.values:
            return text if text in label.values else OTHER
        seen = self._values.setdefault((metric.name, label.name), set())
        if text == OTHER or text in seen:
            return text
        if len(seen) >= label.limit:
            return OTHER
        seen.add(text)
        return text


def _text(value: object) -> str:
    try:
        return clean_text(str(value))
    except Exception:  # noqa: BLE001 - of an object of the application's that cannot be written
        return OTHER


def _past_all(label: Label, value: str) -> str:
    return value if label.values else OTHER
