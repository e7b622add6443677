"""What a statement does and to which table, without its text: enough for a span's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Statement", "statement_of"]

_NOISE = re.compile(r"/\*.*?\*/|--[^\n]*|'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_VERB = re.compile(r"[A-Za-z]+")
_MAIN_VERB = re.compile(r"\b(select|insert|update|delete|merge)\b", re.IGNORECASE)
_NAME = r'"?([A-Za-z_][\w$]*)"?(?:\."?([A-Za-z_][\w$]*)"?)?'
_TABLE = re.compile(
    rf"\b(?:from|into|update|join|table)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)*{_NAME}", re.IGNORECASE
)
_QUERY_TYPES = ("select", "insert", "update", "delete")


@dataclass(frozen=True)
class Statement:
    """An operation (`SELECT`) and the first table it names, if any."""

    operation: str
    table: str | None

    @property
    def summary(self) -> str:
        """The span's name: operation and table."""
        return f"{self.operation} {self.table}" if self.table else self.operation

    @property
    def query_type(self) -> str:
        """The label: select, insert, update, delete or other."""
        operation = self.operation.lower()
        return operation if operation in _QUERY_TYPES else "other"


def statement_of(query: object) -> Statement | None:
    """Read a query as psycopg takes it (text, bytes, `sql.Composable`); None for an empty one."""
    if isinstance(query, bytes):
        return _parse(query.decode("utf-8", "replace"))
    if isinstance(query, str):
        return _parse(query)
    as_string = getattr(query, "as_string", None)
    return _parse(as_string(None)) if as_string is not None else Statement("QUERY", None)


@lru_cache(maxsize=1024)
def _parse(sql: str) -> Statement | None:
    text = _NOISE.sub(" ", sql).strip().lstrip("(")
    verb = _VERB.match(text)
    if verb is None:
        return None
    operation = verb.group().upper()
    if operation == "WITH":
        text = _without_parentheses(text)
        main = _MAIN_VERB.search(text)
        operation = main.group().upper() if main else operation
    table = _TABLE.search(text)
    return Statement(operation, (table.group(2) or table.group(1)) if table else None)


def _without_parentheses(text: str) -> str:
    """Drop what stands in parentheses: a common table expression's body is not what the statement does."""
    depth, kept = 0, []
    for character in text:
        depth += character == "("
        if depth == 0:
            kept.append(character)
        depth -= character == ")" and depth > 0
    return "".join(kept)
