"""Adds large streams to a PDF on disk, a piece at a time; pikepdf would hold in memory whatever is copied."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
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
        places = {0: None, 1: _EMPTY.index(b"1 0 obj"), 2: _EMPTY.index(b"2 0 obj")}
        _write_table(file, places, 3, b"/Root 1 0 R")


def add_streams(path: Path, streams: Iterable[tuple[bytes, Iterable[bytes]]]) -> list[int]:
    """Append streams to a PDF of ours as an incremental update; return their object numbers.

    Each is given as the entries of its dictionary, and its bytes as they shall lie in the file.
    """
    with pikepdf.open(path) as book:
        size, kept = int(book.trailer.Size), b"/Root %d 0 R" % book.Root.objgen[0]
        if "/Info" in book.trailer:
            kept += b"/Info %d 0 R" % book.docinfo.objgen[0]
    places: dict[int, int | None] = {}
    with path.open("r+b") as file:
        previous = start_of_table(file)
        file.seek(0, os.SEEK_END)
        for entries, chunks in streams:
            number = size + len(places)
            places[number] = file.tell()
            file.write(b"%d 0 obj<<%s/Length %d 0 R>>stream\n" % (number, entries, number + 1))
            length = sum(file.write(chunk) for chunk in chunks)
            file.write(b"\nendstream endobj\n")
            places[number + 1] = file.tell()
            file.write(b"%d 0 obj %d endobj\n" % (number + 1, length))
        _write_table(file, places, size + len(places), kept + b"/Prev %d" % previous)
    return [*range(size, size + len(places), 2)]


def add_objects(path: Path, objects: Iterable[tuple[int, bytes]]) -> None:
    """Append objects, given by number and text, to a PDF of ours as an incremental update; they replace older ones."""
    with pikepdf.open(path) as book:
        size, facts = int(book.trailer.Size), (book.Root.objgen[0], book.docinfo.objgen[0], book.trailer.ID.unparse())
    places: dict[int, int | None] = {}
    with path.open("r+b") as file:
        previous = start_of_table(file)
        start = file.seek(0, os.SEEK_END)
        for number, text in objects:
            places[number] = start
            start += file.write(b"%d 0 obj\n%s\nendobj\n" % (number, text))
        size = max(size, *(number + 1 for number in places))
        _write_table(file, places, size, b"/Root %d 0 R/Info %d 0 R/ID %s/Prev %d" % (*facts, previous))


def start_of_table(file: BinaryIO) -> int:
    """Return where the last cross-reference table of a PDF begins."""
    file.seek(-_LAST_LINES, os.SEEK_END)
    return int(file.read().split(b"startxref")[-1].split()[0])


def _write_table(file: BinaryIO, places: dict[int, int | None], number: int, entries: bytes) -> None:
    """Write the cross-reference stream of the objects at these places, and of itself as the last one, and the end."""
    start = file.tell()
    numbers = sorted(places)
    rows = b"".join(bytes([places[each] is not None]) + (places[each] or 0).to_bytes(8, "big") for each in numbers)
    rows += bytes([1]) + start.to_bytes(8, "big")
    header = b"%d 0 obj\n<</Type/XRef/W[1 8 0]/Index[%s]/Size %d%s/Length %d>>\nstream\n"
    file.write(header % (number, _runs([*numbers, number]), number + 1, entries, len(rows)))
    file.write(rows + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n" % start)


def _runs(numbers: Sequence[int]) -> bytes:
    """Return the runs of neighbours in ascending numbers: the first of each, and how many they are."""
    breaks = [place for place in range(1, len(numbers)) if numbers[place] != numbers[place - 1] + 1]
    runs = pairwise([0, *breaks, len(numbers)])
    return b" ".join(b"%d %d" % (numbers[first], last - first) for first, last in runs)
