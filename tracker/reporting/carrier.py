"""Adds large streams to a PDF on disk, a piece at a time; pikepdf would hold in memory whatever is copied."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pikepdf

_CHUNK = 1 << 20
_LAST_LINES = 64  # bytes
_EMPTY = b"%PDF-1.7\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\n"


def chunks_of(content: bytes | Path) -> Iterator[bytes]:
    """Yield the bytes of a file, or those given, a piece at a time."""
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def write_empty(path: Path) -> None:
    """Write a PDF without pages, for streams to be added to."""
    with path.open("wb") as file:
        file.write(_EMPTY)
        _write_table(file, 0, [None, _EMPTY.index(b"1 0 obj"), _EMPTY.index(b"2 0 obj")], b"/Root 1 0 R")


def add_streams(path: Path, streams: Iterable[tuple[bytes, Iterable[bytes]]]) -> list[int]:
    """Append streams to a PDF of ours as an incremental update; return their object numbers.

    Each is given as the entries of its dictionary, and its bytes as they shall lie in the file.
    """
    with pikepdf.open(path) as book:
        size, root = int(book.trailer.Size), book.Root.objgen[0]
    places: list[int | None] = []
    with path.open("r+b") as file:
        previous = start_of_table(file)
        file.seek(0, os.SEEK_END)
        for entries, chunks in streams:
            number = size + len(places)
            places.append(file.tell())
            file.write(b"%d 0 obj<<%s/Length %d 0 R>>stream\n" % (number, entries, number + 1))
            length = sum(file.write(chunk) for chunk in chunks)
            file.write(b"\nendstream endobj\n")
            places.append(file.tell())
            file.write(b"%d 0 obj %d endobj\n" % (number + 1, length))
        _write_table(file, size, places, b"/Root %d 0 R/Prev %d" % (root, previous))
    return [*range(size, size + len(places), 2)]


def start_of_table(file: BinaryIO) -> int:
    """Return where the last cross-reference table of a PDF begins."""
    file.seek(-_LAST_LINES, os.SEEK_END)
    return int(file.read().split(b"startxref")[-1].split()[0])


def _write_table(file: BinaryIO, first: int, places: Sequence[int | None], entries: bytes) -> None:
    """Write the cross-reference stream of the objects from `first` on, and of itself behind them, and the end."""
    start, number = file.tell(), first + len(places)
    rows = b"".join(bytes([place is not None]) + (place or 0).to_bytes(8, "big") for place in [*places, start])
    header = b"%d 0 obj<</Type/XRef/W[1 8 0]/Index[%d %d]/Size %d%s/Length %d>>stream\n"
    file.write(header % (number, first, len(places) + 1, number + 1, entries, len(rows)))
    file.write(rows + b"\nendstream endobj\nstartxref\n%d\n%%%%EOF\n" % start)
