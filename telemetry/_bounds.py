"""How many values a label, and how many series a metric, may have in this process; what goes past that is counted.

Past its bound a label's value becomes `other`. The product of labels within their bounds may still be large: a metric
that has made `SERIES_LIMIT` combinations puts what is new into the one where every open label is `other`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from telemetry.catalog import OTHER, SERIES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.catalog import Label, Metric

__all__ = ["Bounds"]

Labels = dict[str, Any]


class Bounds:
    """What one meter provider has seen of each label of each metric."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.overflows: Counter[str] = Counter()
        """How many recordings had a label that became `other`, by the metric's name in Prometheus."""
        self._values: dict[tuple[str, str], set[str]] = {}
        self._known: dict[str, dict[tuple[Any, ...], Labels]] = {}

    def of(self, metric: Metric, labels: Mapping[str, Any]) -> Labels:
        """Return the metric's labels within their bounds, and no others; raises `KeyError` where one is missing."""
        raw = tuple([labels[label.name] for label in metric.labels])
        return self._found(metric, raw)

    def of_any(self, metric: Metric, attributes: Mapping[str, Any] | None) -> Labels:
        """Return what of any attributes the metric has as labels, within their bounds."""
        given = attributes or {}
        return self._found(metric, tuple([given.get(label.name) for label in metric.labels]))

    def _found(self, metric: Metric, raw: tuple[Any, ...]) -> Labels:
        known = self._known.setdefault(metric.name, {})
        found = known.get(raw)
        return self._new(metric, raw, known) if found is None else found

    def _new(self, metric: Metric, raw: tuple[Any, ...], known: dict[tuple[Any, ...], Labels]) -> Labels:
        """Return the labels of a combination that is new; as it is remembered only within the bounds."""
        values = tuple([self._value(metric, label, value) for label, value in zip(metric.labels, raw, strict=True)])
        if values not in known and len(known) >= SERIES_LIMIT:
            values = tuple([_past_all(label, value) for label, value in zip(metric.labels, values, strict=True)])
        if values != tuple(map(_text, raw)):
            self.overflows[metric.prometheus] += 1
        named = {label.name: value for label, value in zip(metric.labels, values, strict=True) if value is not None}
        return known.setdefault(values, named)

    def _value(self, metric: Metric, label: Label, value: object) -> str | None:
        text = _text(value)
        if text is None or text == OTHER:
            return text
        if label.values:
            return text if text in label.values else OTHER
        seen = self._values.setdefault((metric.name, label.name), set())
        if text not in seen:
            if len(seen) >= label.limit:
                return OTHER
            seen.add(text)
        return text


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _past_all(label: Label, value: str | None) -> str | None:
    return value if value is None or label.values else OTHER
