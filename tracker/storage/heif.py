"""The boxes of a HEIF file (HEIC photos of phones): where its EXIF and XMP items lie."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_XMP_TYPE = b"application/rdf+xml"
_PICTURES = frozenset({b"ftyp", b"meta", b"mdat", b"free", b"skip"})
_IN_FILE, _IN_META = 0, 1

Pieces = list[tuple[int, int]]


@dataclass(frozen=True)
class Item:
    """A metadata item and the pieces (offset, length) of the file that make it up."""

    is_exif: bool
    pieces: Pieces


@dataclass(frozen=True)
class _Box:
    name: bytes
    at: int
    end: int


class _Reader:
    """Reads big-endian numbers one after the other; ValueError beyond the end."""

    def __init__(self, data: mmap.mmap, at: int, end: int) -> None:
        self._data, self.at, self._end = data, at, end

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        if self.at + size > self._end:
            raise ValueError("a box ends too early")
        self.at += size
        return self._data[self.at - size : self.at]

    def text(self) -> bytes:
        """Return the bytes up to the next zero."""
        zero = self._data.find(b"\0", self.at, self._end)
        if zero < 0:
            zero = self._end
        found = self._data[self.at : zero]
        self.at = min(zero + 1, self._end)
        return found


def metadata_items(data: mmap.mmap) -> Iterator[Item]:
    """Yield the EXIF and XMP items; ValueError where they are packed or placed in a way that cannot be edited."""
    for meta in _boxes(data, 0, len(data)):
        if meta.name != b"meta":
            continue
        inner = {box.name: box for box in _boxes(data, meta.at + 4, meta.end)}
        kinds = dict(_infos(data, inner[b"iinf"])) if b"iinf" in inner else {}
        if not kinds or b"iloc" not in inner:
            continue
        held = inner.get(b"idat")
        for number, pieces in _locations(data, inner[b"iloc"], held, wanted=frozenset(kinds)):
            yield Item(kinds[number], pieces)


def other_boxes(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Yield offset and length of the boxes beside the picture: films and makers' own."""
    for box in _boxes(data, 0, len(data)):
        if box.name not in _PICTURES:
            yield box.at, box.end - box.at


def exif_heading(data: mmap.mmap, pieces: Pieces) -> int:
    """Return how many bytes stand before the TIFF block of an EXIF item: four, and as many as those four say."""
    head = b"".join(data[at : at + length] for at, length in pieces)[:4]
    return 4 + int.from_bytes(head, "big") if len(head) == 4 else 0


def behind(pieces: Pieces, head: int) -> Pieces:
    """Return the pieces without their first `head` bytes."""
    rest = []
    for at, length in pieces:
        cut = min(head, length)
        head -= cut
        if length > cut:
            rest.append((at + cut, length - cut))
    return rest


def _boxes(data: mmap.mmap, at: int, end: int) -> Iterator[_Box]:
    while at + 8 <= end:
        size, name = struct.unpack(">L4s", data[at : at + 8])
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if size == 0 else at + size
        if stop > end or stop < at + head:
            return
        yield _Box(name, at + head, stop)
        at = stop


def _infos(data: mmap.mmap, box: _Box) -> Iterator[tuple[int, bool]]:
    """Yield the number of each metadata item and whether it is EXIF (the others are XMP)."""
    version = data[box.at]
    for info in _boxes(data, box.at + (6 if version == 0 else 8), box.end):
        if info.name == b"infe" and data[info.at] >= 2:
            yield from _info(_Reader(data, info.at + 4, info.end), wide=data[info.at] > 2)


def _info(reader: _Reader, *, wide: bool) -> Iterator[tuple[int, bool]]:
    number = reader.number(4 if wide else 2)
    reader.number(2)
    kind = reader.take(4)
    reader.text()
    if kind == b"Exif":
        yield number, True
    elif kind == b"mime" and reader.text() == _XMP_TYPE:
        if reader.text():
            raise ValueError("XMP is compressed")
        yield number, False


def _locations(
    data: mmap.mmap, box: _Box, held: _Box | None, *, wanted: frozenset[int]
) -> Iterator[tuple[int, Pieces]]:
    version = data[box.at]
    reader = _Reader(data, box.at + 4, box.end)
    sizes = reader.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(reader.number(2 if version < 2 else 4)):
        number = reader.number(2 if version < 2 else 4)
        method = reader.number(2) & 15 if version else _IN_FILE
        reader.number(2)
        base = reader.number(base_size) + _origin(method, held, needed=number in wanted)
        extents = []
        for _ in range(reader.number(2)):
            reader.number(index_size if version else 0)
            extents.append((base + reader.number(offset_size), reader.number(length_size)))
        if number in wanted:
            yield number, [_inside(data, at, length) for at, length in extents]


def _origin(method: int, held: _Box | None, *, needed: bool) -> int:
    """Return from where the offsets of an item count."""
    if method == _IN_META and held:
        return held.at
    if method != _IN_FILE and needed:
        raise ValueError("metadata is placed inside another item")
    return 0


def _inside(data: mmap.mmap, at: int, length: int) -> tuple[int, int]:
    """Keep an extent inside the file; a length of 0 means up to its end."""
    at = min(at, len(data))
    return at, min(length or len(data), len(data) - at)
