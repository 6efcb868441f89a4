"""Reads and writes the tables of an embedded TrueType subset, byte for byte; no outline is drawn or changed."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

LONG_LOCA = 1
# Of a glyph made of others: what follows each of its parts (flags of the glyf table).
_WORDS, _SCALE, _MORE, _BOTH_SCALES, _MATRIX = 0x0001, 0x0008, 0x0020, 0x0040, 0x0080
_COMPOSITE = 0x80  # a count of contours below zero marks a composite glyph
_TAKEN = (b"cvt ", b"fpgm", b"prep")  # the hints' programs: subsets that differ in them are not of one font
_MAGIC = 0xB1B0AFBA


class OtherFont(Exception):
    """Two subsets that bear one name are not of the same font."""


@dataclass
class GlyphStore:
    """Glyphs of one font by their number: outline, advance and left bearing as they lie in `glyf` and `hmtx`."""

    head: bytes
    hhea: bytes
    maxp: bytes
    hints: Mapping[bytes, bytes]
    outlines: dict[int, bytes] = field(default_factory=dict)
    metrics: dict[int, bytes] = field(default_factory=dict)

    def add(self, other: GlyphStore) -> None:
        """Take the glyphs of another subset. Raises OtherFont, with nothing taken, where the two contradict."""
        same_font = _common(self.head) == _common(other.head) and self.hints == other.hints
        both = self.outlines.keys() & other.outlines.keys()
        if not same_font or any(self.outlines[glyph] != other.outlines[glyph] for glyph in both):
            raise OtherFont
        self.outlines |= other.outlines
        self.metrics |= other.metrics
        self.maxp = _larger(self.maxp, other.maxp)

    def to_bytes(self) -> bytes:
        """Return a font file of these glyphs, each under its number."""
        count = max(self.outlines) + 1
        loca, glyf = array("I", [0]), bytearray()
        for glyph in range(count):
            outline = self.outlines.get(glyph, b"")
            glyf += outline + b"\0" * (-len(outline) % 4)
            loca.append(len(glyf))
        loca.byteswap()
        tables = {
            **self.hints,
            b"glyf": bytes(glyf),
            b"head": _head(self.head),
            b"hhea": self.hhea[:34] + struct.pack(">H", count),
            b"hmtx": b"".join(self.metrics.get(glyph, bytes(4)) for glyph in range(count)),
            b"loca": loca.tobytes(),
            b"maxp": self.maxp[:4] + struct.pack(">H", count) + self.maxp[6:],
        }
        return _file(tables)


def read_glyphs(content: bytes, wanted: Iterable[int]) -> GlyphStore:
    """Return `.notdef` and the `wanted` glyphs of a font file, with those that they are made of.

    Raises ValueError for a file that has no such glyphs.
    """
    try:
        return _read_glyphs(content, wanted)
    except (struct.error, KeyError, IndexError) as error:
        raise ValueError(f"not a TrueType font with these glyphs: {error}") from error


def _read_glyphs(content: bytes, wanted: Iterable[int]) -> GlyphStore:
    tables = dict(_tables(content))
    is_long = tables[b"head"][51] == LONG_LOCA
    offsets, unit = _numbers(tables[b"loca"], "I" if is_long else "H"), 1 if is_long else 2
    glyf, hmtx = tables[b"glyf"], tables[b"hmtx"]
    full = struct.unpack_from(">H", tables[b"hhea"], 34)[0]
    store = GlyphStore(
        tables[b"head"], tables[b"hhea"], tables[b"maxp"], {tag: tables[tag] for tag in _TAKEN if tag in tables}
    )
    waiting = [0, *wanted]
    for glyph in waiting:  # grows while it is walked
        outline = glyf[unit * offsets[glyph] : unit * offsets[glyph + 1]]
        store.outlines[glyph] = outline
        store.metrics[glyph] = _metrics(hmtx, glyph, full)
        if outline and outline[0] >= _COMPOSITE:
            waiting += [part for part in _components(outline) if part not in store.outlines]
    return store


def _tables(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for number in range(struct.unpack_from(">H", content, 4)[0]):
        tag, _, offset, length = struct.unpack_from(">4sIII", content, 12 + 16 * number)
        yield tag, content[offset : offset + length]


def _numbers(table: bytes, kind: str) -> array[int]:
    """Return the unsigned numbers, of two bytes (H) or four (I), that a table is made of."""
    numbers = array(kind, table)
    numbers.byteswap()
    return numbers


def _metrics(hmtx: bytes, glyph: int, full: int) -> bytes:
    """Return advance and left bearing; behind the first `full` glyphs only bearings stand, the advance is the last."""
    if glyph < full:
        return hmtx[4 * glyph : 4 * glyph + 4]
    bearing = 4 * full + 2 * (glyph - full)
    return hmtx[4 * full - 4 : 4 * full - 2] + hmtx[bearing : bearing + 2]


def _components(outline: bytes) -> Iterator[int]:
    """Yield the glyphs that a composite one is made of."""
    place, flags = 10, _MORE
    while flags & _MORE:
        flags, glyph = struct.unpack_from(">HH", outline, place)
        yield glyph
        place += 8 if flags & _WORDS else 6
        place += 2 if flags & _SCALE else 4 if flags & _BOTH_SCALES else 8 if flags & _MATRIX else 0


def _head(head: bytes) -> bytes:
    """Return `head` for a new file: no checksum yet, long offsets, and not when the font was made on some machine."""
    return head[:8] + bytes(4) + head[12:20] + bytes(16) + head[36:50] + struct.pack(">h", LONG_LOCA) + head[52:]


def _common(head: bytes) -> bytes:
    """Return what subsets of one font have in common in `head`: not the checksum, the box, the kind of `loca`."""
    return head[:8] + head[12:36]


def _larger(one: bytes, other: bytes) -> bytes:
    """Return the larger of each limit in two `maxp` tables."""
    count = min(len(one), len(other)) // 2 - 2
    pairs = zip(struct.unpack_from(f">{count}H", one, 4), struct.unpack_from(f">{count}H", other, 4), strict=True)
    return one[:4] + struct.pack(f">{count}H", *map(max, pairs))


def _file(tables: Mapping[bytes, bytes]) -> bytes:
    """Return a font file of the tables, with its checksums."""
    power = len(tables).bit_length() - 1
    directory = struct.pack(">IHHHH", 0x00010000, len(tables), 16 << power, power, 16 * (len(tables) - (1 << power)))
    body, start = b"", 12 + 16 * len(tables)
    for tag, table in sorted(tables.items()):
        directory += struct.pack(">4sIII", tag, _checksum(table), start + len(body), len(table))
        body += table + b"\0" * (-len(table) % 4)
    content = directory + body
    adjustment = struct.pack(">I", (_MAGIC - _checksum(content)) & 0xFFFFFFFF)
    place = start + _place(tables, b"head") + 8
    return content[:place] + adjustment + content[place + 4 :]


def _place(tables: Mapping[bytes, bytes], wanted: bytes) -> int:
    """Return how far behind the directory a table begins."""
    return sum(len(table) + -len(table) % 4 for tag, table in tables.items() if tag < wanted)


def _checksum(table: bytes) -> int:
    return sum(_numbers(table + b"\0" * (-len(table) % 4), "I")) & 0xFFFFFFFF
