"""Makes the Collector's queue files fit to be opened, then becomes the Collector: `queue_guard.py OPTIONS -- COMMAND`.

A queue file that is damaged stops the Collector at each start: its `recreate` option does not see what bbolt finds in a
thread of its own, nor a file without a head. So each file is read as bbolt would read it, and one that is not whole is
moved aside, and named. And room on the disk is set aside for the whole queue: on a full disk the queue drops, without a
word, what it was about to hand over.

Needs nothing but Python: in compose.yaml it runs alone, before the Collector, from a plain image of Python.
https://github.com/etcd-io/bbolt/tree/main/internal/common describes pages.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import mmap
import os
import struct
import sys
import time
from pathlib import Path

__all__ = ["in_use", "main", "problem", "reserve"]

_MAGIC, _VERSION, _PAGE = 0xED0CDAED, 2, 4096
_BRANCH, _LEAF, _BUCKET = 0x01, 0x02, 0x01
_HEADER, _ELEMENT = 16, 16
_META = struct.Struct("<IIIIQQQQQQ")
"""Magic, version, page size, flags, root, sequence, freelist, pages, transaction, sum."""
_ROOM = 1.5
"""What a queue of common requests takes on disk, as a multiple of its bytes; of single spans it is 2.7."""
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE: bbolt takes an empty file for a new one


class _DamagedError(Exception):
    """The file is not what bbolt would have written; says how."""


def in_use(path: Path) -> bool:
    """Tell whether a running Collector has the file open: then it is whole, and changes while it is read."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def problem(path: Path) -> str:
    """Say why bbolt could not read this file, nothing if it could; an empty file is a new one."""
    if not path.stat().st_size:
        return ""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            _File(data).check()
        except _DamagedError as error:
            return str(error)
    return ""


class _File:
    """The pages of one file, walked from the root as bbolt does when it opens it."""

    def __init__(self, data: mmap.mmap) -> None:
        """Find the newest head that is right."""
        self._data = data
        heads = [head for at in (0, _PAGE) if (head := self._head(at))]
        if not heads:
            raise _DamagedError("neither of its heads is right")
        _, self._root, self._pages, self._size = max(heads)
        self._seen: set[int] = set()

    def _head(self, at: int) -> tuple[int, int, int, int] | None:
        """Transaction, root, number of pages and page size, if this is a head."""
        block = self._data[at + _HEADER : at + _HEADER + _META.size]
        if len(block) < _META.size:
            return None
        magic, version, size, _, root, _, _, pages, transaction, checksum = _META.unpack(block)
        right = (magic, version, checksum) == (_MAGIC, _VERSION, _fnv1a(block[:-8]))
        return (transaction, root, pages, size) if right else None

    def check(self) -> None:
        """Raise where a page that is in use is not one."""
        if self._pages * self._size > len(self._data):
            raise _DamagedError(f"it ends after {len(self._data)} bytes of {self._pages * self._size}")
        buckets = [self._root]
        while buckets:
            self._walk(buckets.pop(), b"", None, buckets)

    def _walk(self, page: int, low: bytes, high: bytes | None, buckets: list[int]) -> bytes:
        """Check a page and all below it, whose keys rise from `low` and stay below `high`; return the last key.

        The roots of buckets within it are added to `buckets`: each has an order of its own.
        """
        if page in self._seen or not 1 < page < self._pages:
            raise _DamagedError(f"page {page} is in use twice, or outside of the file")
        self._seen.add(page)
        leaf, elements = self._elements(page)
        last = low
        for number, (key, below) in enumerate(elements):
            if key < last or (number and key == last) or (high is not None and key >= high):
                raise _DamagedError(f"a key of page {page} is out of order")
            last = key
            if not leaf:
                last = self._walk(below, key, elements[number + 1][0] if number + 1 < len(elements) else high, buckets)
            elif below:
                buckets.append(below)
        return last

    def _elements(self, page: int) -> tuple[bool, list[tuple[bytes, int]]]:
        """Return whether a page is a leaf, and each key with the page below it, 0 for none."""
        start = page * self._size
        own, flags, count, overflow = struct.unpack_from("<QHHI", self._data, start)
        if own != page or flags not in (_BRANCH, _LEAF) or page + overflow >= self._pages:
            raise _DamagedError(f"page {page} says that it is page {own} of kind {flags}")
        end = start + (overflow + 1) * self._size
        if start + _HEADER + count * _ELEMENT > end:
            raise _DamagedError(f"page {page} holds {count} entries, more than have room")
        places = range(start + _HEADER, start + _HEADER + count * _ELEMENT, _ELEMENT)
        leaf = flags == _LEAF
        return leaf, [self._leaf_element(at, end) if leaf else self._branch_element(at, end) for at in places]

    def _branch_element(self, at: int, end: int) -> tuple[bytes, int]:
        position, key, page = struct.unpack_from("<IIQ", self._data, at)
        _check_room(at + position + key, end)
        return self._data[at + position : at + position + key], page

    def _leaf_element(self, at: int, end: int) -> tuple[bytes, int]:
        flags, position, key, value = struct.unpack_from("<IIII", self._data, at)
        _check_room(at + position + key + value, end)
        root = 0  # also of a small bucket, which stands within the page
        if flags & _BUCKET:
            (root,) = struct.unpack_from("<Q", self._data, at + position + key)
        return self._data[at + position : at + position + key], root


def _check_room(last: int, end: int) -> None:
    if last > end:
        raise _DamagedError(f"an entry ends {last - end} bytes after its page")


def _fnv1a(block: bytes) -> int:
    found = 0xCBF29CE484222325
    for byte in block:
        found = ((found ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return found


def reserve(path: Path, size: int) -> str:
    """Set aside room on the disk for a file to grow to `size` bytes; say why not, if it cannot be."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fallocate = ctypes.CDLL(None, use_errno=True).fallocate
        failed = fallocate(descriptor, _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size))
    except AttributeError:
        return "this system cannot"
    finally:
        os.close(descriptor)
    return os.strerror(ctypes.get_errno()) if failed else ""


def _move_aside(path: Path, why: str) -> None:
    """Keep a damaged file for whoever wants to look into it; of earlier ones only this newest."""
    for older in path.parent.glob(f"{path.name}.damaged-*"):
        older.unlink()
    kept = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}")
    path.rename(kept)
    _say(f"error: the queue file {path} is damaged ({why}). It was moved to {kept.name}; what waited in it is lost.")


def _say(text: str) -> None:
    sys.stderr.write(f"queue guard: {text}\n")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make the Collector's queue files fit to be opened.")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--bytes", type=int, required=True, help="the bound of each queue")
    parser.add_argument("queues", nargs="+", metavar="FILE", help="names of the queues' files")
    return parser.parse_args(arguments)


def _make_fit(path: Path, size: int) -> None:
    if path.is_file() and in_use(path):
        return
    if path.is_file() and (why := problem(path)):
        _move_aside(path, why)
    if why := reserve(path, size):
        _say(f"warning: no room is set aside for {path} ({why}): a disk that fills up may cost what waits in it.")


def main(arguments: list[str]) -> None:
    """Look after the queue files, then run the command in place of this process, if one is given."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    options, command = _options(arguments[:at]), arguments[at + 1 :]
    options.directory.mkdir(parents=True, exist_ok=True)
    for name in options.queues:
        _make_fit(options.directory / name, int(options.bytes * _ROOM))
    if command:
        os.execvp(command[0], command)  # noqa: S606 - the command is the point


if __name__ == "__main__":
    main(sys.argv[1:])
