"""What a statement does and to which table, without its text: enough for a span's name.

Only two words of a statement ever leave: a command that PostgreSQL knows, and the identifier that stands where a table
does. Literals, comments and parameters are skipped as a scanner would, also where they do not end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Statement", "statement_of"]

_READ = 10_000
"""Characters of a statement that are read (and kept as a key of the cache)."""
_IDENTIFIER_LENGTH = 63

_PART = re.compile(
    r"""
      --[^\n]*
    | (?P<comment>/\*)
    | (?P<value>
          [eE]'(?:[^'\\]|\\.|'')*(?:'|\Z)
        | '(?:[^']|'')*(?:'|\Z)
        | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z)
        | %(?:\([^)]*\))?[sbt]
        | \$?\d[\w.]*
        | "[^"]*\Z
      )
    | (?P<name>[^\W\d][\w$]* | "(?:[^"]|"")*")
    | (?P<mark>[().;])
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")

_BEFORE_TABLE = {
    "SELECT": "FROM", "DELETE": "FROM", "INSERT": "INTO", "MERGE": "INTO",
    "CREATE": "TABLE", "ALTER": "TABLE", "DROP": "TABLE",
}  # fmt: skip
_TABLE_FOLLOWS = {"UPDATE", "COPY", "TRUNCATE", "LOCK", "TABLE"}
_BETWEEN = {"ONLY", "IF", "NOT", "EXISTS", "TABLE", "LATERAL"}
_MAIN = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE"}
_COMMANDS = _MAIN | _BEFORE_TABLE.keys() | _TABLE_FOLLOWS | {
    "ABORT", "ANALYZE", "BEGIN", "CALL", "CHECKPOINT", "CLOSE", "CLUSTER", "COMMENT", "COMMIT", "DEALLOCATE", "DECLARE",
    "DISCARD", "DO", "END", "EXECUTE", "EXPLAIN", "FETCH", "GRANT", "IMPORT", "LISTEN", "LOAD", "MOVE", "NOTIFY",
    "PREPARE", "REASSIGN", "REFRESH", "REINDEX", "RELEASE", "RESET", "REVOKE", "ROLLBACK", "SAVEPOINT", "SECURITY",
    "SET", "SHOW", "START", "UNLISTEN", "VACUUM", "WITH",
}  # fmt: skip
_UNKNOWN = "QUERY"
_QUERY_TYPES = {"SELECT": "select", "FETCH": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}


@dataclass(frozen=True)
class Statement:
    """An operation (`SELECT`) and the first table it names, if any."""

    operation: str
    table: str | None = None

    @cached_property
    def summary(self) -> str:
        """The span's name: operation and table."""
        return f"{self.operation} {self.table}" if self.table else self.operation

    @cached_property
    def labels(self) -> dict[str, str]:
        """The labels of its metrics: select, insert, update, delete or other."""
        return {"query_type": _QUERY_TYPES.get(self.operation, "other")}

    @cached_property
    def attributes(self) -> dict[str, str | int]:
        """What its span says, but for the server."""
        found: dict[str, str | int] = {
            "db.system.name": "postgresql",
            "db.operation.name": self.operation,
            "db.query.summary": self.summary,
        }
        return found | {"db.collection.name": self.table} if self.table else found


def statement_of(query: object) -> Statement | None:
    """Read a query as psycopg takes it (text, bytes, `sql.Composable`); None for an empty one."""
    if isinstance(query, str):
        return _parse(query[:_READ])
    if isinstance(query, bytes):
        return _parse(query[:_READ].decode("utf-8", "replace"))
    return _parse(_composed_text(query)[:_READ])


def _composed_text(query: object) -> str:
    """Put a composed query together with an empty literal for each value: rendering values costs, and may fail."""
    from psycopg import sql  # noqa: PLC0415 - optional package

    if isinstance(query, sql.Composed):
        return "".join(_composed_text(part) for part in query)
    return query.as_string(None) if isinstance(query, (sql.SQL, sql.Identifier)) else "''"


@lru_cache(maxsize=512)
def _parse(text: str) -> Statement | None:
    parts = list(_parts(text))
    if all(part == ";" for part in parts):
        return None
    return _Reader(parts).read()


def _parts(text: str) -> Iterator[str]:
    """Give names, `(`, `)`, `.`, `;`, and one `'` for each value, whatever it is."""
    position = 0
    while found := _PART.search(text, position):
        position = found.end()
        if found["comment"]:
            position = _end_of_comment(text, position)
        elif found["value"]:
            yield "'"
        elif part := found["name"] or found["mark"]:
            yield part


def _end_of_comment(text: str, position: int) -> int:
    """Return where a comment ends that begins before `position`; PostgreSQL's comments nest."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(text, position)):
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return len(text) if depth else position


class _Reader:
    """Reads one statement; `_verbs` holds the first word within each parenthesis that is open."""

    def __init__(self, parts: list[str]) -> None:
        self._parts = parts
        self._operation = ""
        self._verbs = [""]
        self._depth = 0

    def read(self) -> Statement:
        """Return the operation and its table; one inside parentheses only where there is none outside."""
        inner: str | None = None
        for position, part in enumerate(self._parts):
            if part == ";" and self._operation:
                break
            if not self._comes_before_table(part, position):
                continue
            table = self._table_at(position + 1)
            if table and len(self._verbs) <= self._depth:
                return Statement(self._operation, table)
            inner = inner or table
        return Statement(self._operation or _UNKNOWN, inner)

    def _comes_before_table(self, part: str, position: int) -> bool:
        if part == "(":
            self._verbs.append("")
        elif part == ")" and len(self._verbs) > 1:
            self._verbs.pop()
        word = part.upper()
        if not self._verbs[-1] and part not in "();'":
            self._verbs[-1] = word
        if not self._operation or (self._operation == "WITH" and len(self._verbs) == self._depth and word in _MAIN):
            return self._is_operation(word)
        if self._operation == "WITH":
            return False
        distinct_from = self._parts[position - 1].upper() == "DISTINCT"
        return _BEFORE_TABLE.get(self._verbs[-1]) == word and not distinct_from

    def _is_operation(self, word: str) -> bool:
        if word in "();'":
            return False
        self._operation = word if word in _COMMANDS else _UNKNOWN
        self._verbs[-1] = self._operation
        self._depth = len(self._verbs)
        return self._operation in _TABLE_FOLLOWS

    def _table_at(self, position: int) -> str | None:
        parts = [*self._parts[position : position + 12], "", ""]
        while parts[0].upper() in _BETWEEN:
            parts = parts[1:]
        while parts[1] == ".":
            parts = parts[2:]
        is_function = parts[1] == "(" and self._verbs[-1] in ("SELECT", "DELETE")
        if is_function or not parts[0] or parts[0] in "().;'":
            return None
        return parts[0].strip('"').replace('""', '"')[:_IDENTIFIER_LENGTH]
