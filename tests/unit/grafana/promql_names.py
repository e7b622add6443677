"""Read the metrics and labels out of PromQL, well enough for what is written here."""

from __future__ import annotations

import re

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"\{([^{}]*)\}")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|on|group_left)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_WORD = re.compile(r"[A-Za-z_:][\w:]*(?!\w)(?!\s*\()")
_KEYWORDS = {"and", "or", "unless", "on", "group_left", "offset", "by", "m", "h", "d"} | {
    "sum",
    "max",
    "min",
    "count",
    "group",
}


def labels_in(query: str) -> set[str]:
    """Return each label a query matches or groups by."""
    plain = _STRING.sub('""', query)
    matched = {name for inside in _SELECTOR.findall(plain) for name in _MATCHER.findall(inside)}
    grouped = {name.strip() for inside in _GROUPING.findall(plain) for name in inside.split(",")}
    return matched | grouped


def metrics_in(query: str) -> set[str]:
    """Return each metric a query selects."""
    plain = _RANGE.sub("", _SELECTOR.sub("", _GROUPING.sub("", _STRING.sub("", query))))
    return {word for word in _WORD.findall(plain) if word not in _KEYWORDS and not word.startswith("__")}
