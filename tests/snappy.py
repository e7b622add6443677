"""Snappy's block format, decompressed: what Prometheus's remote write is packed in.

https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations


def decompress(data: bytes) -> bytes:
    """The plain bytes."""
    out, at = bytearray(), _after_length(data)
    while at < len(data):
        tag = data[at]
        if tag & 3 == 0:
            size, at = _literal(data, at)
            out += data[at : at + size]
            at += size
        else:
            size, offset, at = _copy(data, at)
            for _ in range(size):
                out.append(out[-offset])
    return bytes(out)


def _after_length(data: bytes) -> int:
    return next(at for at, byte in enumerate(data) if byte < 128) + 1


def _literal(data: bytes, at: int) -> tuple[int, int]:
    size = data[at] >> 2
    if size < 60:
        return size + 1, at + 1
    width = size - 59
    return int.from_bytes(data[at + 1 : at + 1 + width], "little") + 1, at + 1 + width


def _copy(data: bytes, at: int) -> tuple[int, int, int]:
    tag = data[at]
    if tag & 3 == 1:
        return (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at + 1], at + 2
    width = 2 if tag & 3 == 2 else 4
    return (tag >> 2) + 1, int.from_bytes(data[at + 1 : at + 1 + width], "little"), at + 1 + width
