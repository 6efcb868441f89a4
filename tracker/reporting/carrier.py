"""Puts large contents into a PDF without holding them in memory: a file of streams that qpdf copies from lazily."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import pikepdf
from pikepdf import Object, Pdf

_CHUNK = 1 << 20


def chunks_of(content: bytes | Path) -> Iterator[bytes]:
    """Yield the bytes of a file, or those given, a piece at a time."""
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def write_carrier(path: Path, streams: Iterable[tuple[bytes, Iterable[bytes]]]) -> None:
    """Write a PDF of nothing but streams: for each the entries of its dictionary, and its bytes as they shall lie."""
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        places: list[int] = []
        for entries, chunks in streams:
            _object(file, places, b"<<%s/Length %d 0 R>>stream\n" % (entries, len(places) + 2))
            length = sum(file.write(chunk) for chunk in chunks)
            file.write(b"\nendstream endobj\n")
            _object(file, places, b"%d endobj\n" % length)
        kept = b" ".join(b"%d 0 R" % number for number in range(1, len(places), 2))
        _object(file, places, b"<</Type/Pages/Count 0/Kids[]>>endobj\n")
        _object(file, places, b"<</Type/Catalog/Pages %d 0 R/Streams[%s]>>endobj\n" % (len(places), kept))
        start = file.tell()
        file.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1))
        file.writelines(b"%010d 00000 n \n" % place for place in places)
        trailer = b"trailer<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n"
        file.write(trailer % (len(places) + 1, len(places), start))


def carried(book: Pdf, path: Path) -> list[Object]:
    """Return the streams of a carrier as streams of `book`, in their order; its file stays until `book` is saved."""
    with pikepdf.open(path) as carrier:
        return [book.copy_foreign(stream) for stream in carrier.Root.Streams.as_list()]


def _object(file: BinaryIO, places: list[int], beginning: bytes) -> None:
    places.append(file.tell())
    file.write(b"%d 0 obj" % len(places) + beginning)
