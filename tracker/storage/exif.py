"""EXIF blocks: when a picture was taken, and the block without the place where it was taken.

A block is a little TIFF file: directories of twelve-byte entries that point at each other by offset. Nothing is moved
that others point at, so every other value keeps its bytes and its offset.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

ORIENTATION = 0x0112
_TAKEN = 0x9003
_GPS = 0x8825
_POINTERS = frozenset({0x8769, 0xA005, 0x014A})  # to the Exif, interoperability and sub-image directories
_UNIT = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_ENTRY = 12
_MOST_DIRECTORIES = 64


@dataclass(frozen=True)
class _Entry:
    """One entry: where it stands, its tag, and where its value lies."""

    at: int
    tag: int
    value_at: int
    length: int


class _Tiff:
    """The directories of one block. Offsets that lead outside it are read as nothing."""

    def __init__(self, block: bytes) -> None:
        self.block = bytearray(block)
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(block[:4]), "")

    def number(self, at: int, form: str) -> int:
        """An unsigned number at an offset; 0 beyond the end."""
        if at < 0 or at + struct.calcsize(form) > len(self.block):
            return 0
        return int(struct.unpack_from(self.order + form, self.block, at)[0])

    def entries(self, at: int) -> list[_Entry]:
        """The entries of the directory at an offset, as far as they lie inside the block."""
        room = max(0, len(self.block) - at - 2) // _ENTRY if at else 0
        return [self._entry(at + 2 + _ENTRY * n) for n in range(min(self.number(at, "H"), room))]

    def directories(self) -> Iterator[int]:
        """The offsets of all directories that hold more than the place: the chain and what it points to."""
        waiting = [self.number(4, "L")]
        seen: set[int] = set()
        while waiting and len(seen) < _MOST_DIRECTORIES:
            at = waiting.pop()
            if not at or at in seen:
                continue
            seen.add(at)
            yield at
            waiting.append(self.number(self._end(at), "L"))
            waiting += [self._pointer(entry) for entry in self.entries(at) if entry.tag in _POINTERS]

    def drop_place(self, at: int) -> None:
        """Blank the directories of the place that the one at `at` names, and take their entries out of it."""
        for entry in reversed(self.entries(at)):
            if entry.tag == _GPS:
                self._blank_directory(self._pointer(entry))
                self._take_out(at, entry)

    def _entry(self, at: int) -> _Entry:
        length = _UNIT.get(self.number(at + 2, "H"), 1) * self.number(at + 4, "L")
        return _Entry(at, self.number(at, "H"), at + 8 if length <= 4 else self.number(at + 8, "L"), length)

    def _pointer(self, entry: _Entry) -> int:
        return self.number(entry.at + 8, "L")

    def _end(self, at: int) -> int:
        """Where the offset of the next directory stands."""
        return at + 2 + _ENTRY * self.number(at, "H")

    def _blank(self, at: int, length: int) -> None:
        end = min(at + length, len(self.block))
        if 8 <= at < end:
            self.block[at:end] = bytes(end - at)

    def _blank_directory(self, at: int) -> None:
        for entry in self.entries(at):
            self._blank(entry.value_at, entry.length)
        if at:
            self._blank(at, self._end(at) + 4 - at)

    def _take_out(self, at: int, entry: _Entry) -> None:
        """Close the gap in the directory: what follows the entry, the offset of the next directory too, moves up."""
        count, end = self.number(at, "H"), min(self._end(at) + 4, len(self.block))
        rest = bytes(self.block[entry.at + _ENTRY : end])
        self.block[entry.at : end] = rest + bytes(end - entry.at - len(rest))
        struct.pack_into(self.order + "H", self.block, at, max(0, count - 1))


def without_place(block: bytes) -> bytes:
    """Return the block, as long as before, without any GPS directory; a block that is no TIFF comes back as zeros."""
    tiff = _Tiff(block)
    if not tiff.order:
        return bytes(len(block))
    for directory in list(tiff.directories()):
        tiff.drop_place(directory)
    return bytes(tiff.block)


def taken_on(block: bytes) -> date | None:
    """Return the day the camera says the picture was taken (DateTimeOriginal), if it says so and such a day exists."""
    tiff = _Tiff(block)
    if not tiff.order:
        return None
    for directory in tiff.directories():
        for entry in tiff.entries(directory):
            if entry.tag == _TAKEN:
                return _day(bytes(block[entry.value_at : entry.value_at + 10]))
    return None


def _day(text: bytes) -> date | None:
    try:
        return date.fromisoformat(text.decode("ascii").replace(":", "-"))
    except ValueError:
        return None
