"""Cuts the place out of a picture in the file itself: same length, same pixels, other metadata kept.

Where cameras and programs write a place: EXIF (GPS directory), XMP (GPS, city, country), IPTC (city, region, country)
and the film that some phones put behind the still picture. Each container is walked by its own structure; a walk that
leaves the file ends. Makers' private notes are not read.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tracker.storage import exif, heif

_PLACE = (
    rb"[\w.-]+:(?:gps\w*|(?:Absolute|Relative)?Altitude|Latitude|Longt?itude|City|State|Country|CountryCode|CountryName"
    rb"|ProvinceState|WorldRegion|Location|LocationName|LocationCreated|LocationShown|LocationId|Sublocation)"
)
_ATTRIBUTE = re.compile(rb"\s" + _PLACE + rb"\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
_ELEMENT = re.compile(rb"<(" + _PLACE + rb")(?:\s[^<>]*)?(?:/>|>.*?</\1\s*>)", re.IGNORECASE | re.DOTALL)
_LEFT = re.compile(rb"[<\s]" + _PLACE + rb"(?=[\s=>/])", re.IGNORECASE)
_ISO_6709 = re.compile(rb"[+-]\d{2,6}\.\d{2,}[+-]\d{3,7}\.\d{2,}(?:[+-]\d+(?:\.\d+)?)?/?")
_IPTC_PLACES = frozenset({26, 27, 90, 92, 95, 100, 101})
_MOST_UNPACKED = 8 * 1024**2

_EXIF = b"Exif\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_MORE = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_XMP_MORE_HEAD = 32 + 4 + 4  # digest, length of the whole, offset

Cleaner = Callable[[bytes], bytes]
Pieces = list[tuple[int, int]]


@dataclass(frozen=True)
class Block:
    """Metadata inside a file: its pieces (offset, length) in order, and what makes them clean at the same length."""

    pieces: Pieces
    clean: Cleaner
    exif_at: int | None = None  # where in the block EXIF begins, if it is EXIF


@dataclass(frozen=True)
class Cleaned:
    """What cutting did: whether a place was there, and the day on which the camera says the picture was taken."""

    location_removed: bool
    taken_on: date | None


def cut_location(path: Path, code: str) -> Cleaned:
    """Cut the place out of the picture of kind `code` at `path`, in place.

    Raises ValueError for a picture whose metadata is packed so that nobody can cut a place out of it.
    """
    if path.stat().st_size == 0:
        return Cleaned(location_removed=False, taken_on=None)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        days = []
        changed = False
        for block in _BLOCKS[code](data):
            before = b"".join(data[at : at + length] for at, length in block.pieces)
            after = block.clean(before)
            if block.exif_at is not None:
                days.append(exif.taken_on(_tiff_of(after[block.exif_at :])[1]))
            if after != before:
                _write(data, block.pieces, after)
                changed = True
        data.flush()
    return Cleaned(location_removed=changed, taken_on=next((day for day in days if day), None))


def _write(data: mmap.mmap, pieces: Pieces, content: bytes) -> None:
    done = 0
    for at, length in pieces:
        data[at : at + length] = content[done : done + length]
        done += length


# --- what stands in a block ---------------------------------------------------------------------------------------


def _tiff_of(payload: bytes) -> tuple[int, bytes]:
    """Split an EXIF payload into the length of its heading and the TIFF block."""
    heading = 6 if payload.startswith(_EXIF) else 0
    return heading, payload[heading:]


def _clean_exif(payload: bytes) -> bytes:
    heading, block = _tiff_of(payload)
    return payload[:heading] + exif.without_place(block)


def _clean_xmp(packet: bytes) -> bytes:
    """Replace every element and attribute that names a place by spaces."""
    if b"\0" in packet:  # UTF-16 or UTF-32: readable without its zeros, but not editable
        return bytes(packet) if not _LEFT.search(packet.replace(b"\0", b"")) else b" " * len(packet)
    packet = _ELEMENT.sub(_spaces, packet)
    packet = _ATTRIBUTE.sub(_spaces, packet)
    return packet if not _LEFT.search(packet) else b" " * len(packet)


def _spaces(found: re.Match[bytes]) -> bytes:
    return b" " * len(found[0])


def _clean_film(trailer: bytes) -> bytes:
    """Blank the coordinates that a film carries as text (ISO 6709)."""
    return _ISO_6709.sub(_spaces, trailer)


def _clean_photoshop(resources: bytes) -> bytes:
    """Clean the IPTC, EXIF and XMP copies among Photoshop's resources."""
    content, at = bytearray(resources), 0
    while resources[at : at + 4] == b"8BIM" and at + 12 <= len(resources):
        number = int.from_bytes(resources[at + 4 : at + 6], "big")
        at += 6 + (resources[at + 6] + 2) // 2 * 2  # a name, padded to an even length with its length byte
        size = int.from_bytes(resources[at : at + 4], "big")
        cleaner = _RESOURCES.get(number)
        if cleaner:
            found = resources[at + 4 : at + 4 + size]
            content[at + 4 : at + 4 + len(found)] = cleaner(found)
        at += 4 + (size + 1) // 2 * 2
    return bytes(content)


def _clean_iptc(records: bytes) -> bytes:
    content, at = bytearray(records), 0
    while at + 5 <= len(records) and records[at] == 0x1C:
        size = int.from_bytes(records[at + 3 : at + 5], "big")
        end = min(at + 5 + size, len(records))
        if records[at + 1] == 2 and records[at + 2] in _IPTC_PLACES:
            content[at + 5 : end] = b" " * (end - at - 5)
        at += 5 + size
    return bytes(content)


_RESOURCES: dict[int, Cleaner] = {0x0404: _clean_iptc, 0x0422: _clean_exif, 0x0424: _clean_xmp}


# --- JPEG ---------------------------------------------------------------------------------------------------------

_EOI, _APP1, _APP13 = 0xD9, 0xE1, 0xED
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")
_NEXT_PICTURE = re.compile(rb"\xff\xd8\xff")
_MOST_PICTURES = 64


def _jpeg_blocks(data: mmap.mmap) -> Iterator[Block]:
    """Blocks of the picture, of the further pictures behind it (depth, preview), and of a film behind those."""
    end = yield from _one_jpeg(data, 0)
    film = end
    for _ in range(_MOST_PICTURES):
        found = _NEXT_PICTURE.search(data, end)
        if not found:
            break
        end = yield from _one_jpeg(data, found.start())
    if film < len(data):
        yield Block([(film, len(data) - film)], _clean_film)


def _one_jpeg(data: mmap.mmap, start: int) -> Generator[Block, None, int]:
    """Yield the blocks of the JPEG at `start`; return (to `yield from`) where it ends."""
    more: list[tuple[bytes, tuple[int, int]]] = []  # the parts of long XMP, each with its place in the whole
    end = start + 2
    for marker, at, length in _segments(data, start + 2):
        end = at + length
        yield from _segment_blocks(data, marker, at, length)
        if marker == _APP1 and data[at : at + len(_XMP_MORE)] == _XMP_MORE:
            head = len(_XMP_MORE) + _XMP_MORE_HEAD
            more.append((data[at + head - 4 : at + head], (at + head, max(0, length - head))))
    if more:
        yield Block([piece for _, piece in sorted(more)], _clean_xmp)
    return end


def _segments(data: mmap.mmap, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, offset and length of each segment's content; the compressed picture itself is stepped over."""
    while found := _MARKER.search(data, at):
        marker, at = data[found.start() + 1], found.end()
        if marker == _EOI:
            yield marker, at, 0
            return
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            return
        yield marker, at + 2, length - 2
        at += length


def _segment_blocks(data: mmap.mmap, marker: int, at: int, length: int) -> Iterator[Block]:
    if marker == _APP1 and data[at : at + len(_EXIF)] == _EXIF:
        yield Block([(at, length)], _clean_exif, exif_at=0)
    elif marker == _APP1 and data[at : at + len(_XMP)] == _XMP:
        yield Block([(at + len(_XMP), length - len(_XMP))], _clean_xmp)
    elif marker == _APP13 and data[at : at + len(_PHOTOSHOP)] == _PHOTOSHOP:
        yield Block([(at + len(_PHOTOSHOP), length - len(_PHOTOSHOP))], _clean_photoshop)


# --- PNG ----------------------------------------------------------------------------------------------------------

_VOID = b"voId"  # ancillary, private, safe to copy: readers step over it
_RAW = b"Raw profile type"


def _png_blocks(data: mmap.mmap) -> Iterator[Block]:
    """Chunks with their checksums; what is compressed and names a place is voided as a whole."""
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack(">L4s", data[at : at + 8])
        end = at + 12 + length
        if end > len(data):
            return
        cleaner = _CHUNKS.get(name)
        if cleaner:
            yield Block([(at + 4, length + 8)], cleaner, exif_at=4 if cleaner is _clean_exif_chunk else None)
        at = end
        if name == b"IEND":
            yield Block([(at, len(data) - at)], _clean_film)
            return


def _with_checksum(chunk: bytes) -> bytes:
    return chunk[:-4] + struct.pack(">L", zlib.crc32(chunk[:-4]))


def _clean_exif_chunk(chunk: bytes) -> bytes:
    cleaned = _clean_exif(chunk[4:-4])
    return chunk if cleaned == chunk[4:-4] else _with_checksum(chunk[:4] + cleaned + bytes(4))


def _clean_text_chunk(chunk: bytes) -> bytes:
    """Clean a text chunk (name, content, checksum): plain XMP in place, anything packed by voiding the chunk."""
    name, content = chunk[:4], chunk[4:-4]
    keyword, _, rest = content.partition(b"\0")
    packed = name == b"zTXt" or (name == b"iTXt" and rest[:1] != b"\0")
    text = rest if name == b"tEXt" else rest[2:].split(b"\0", 2)[-1] if name == b"iTXt" else rest[1:]
    if not packed and not keyword.startswith(_RAW):
        cleaned = content[: len(content) - len(text)] + _clean_xmp(text)
        return chunk if cleaned == content else _with_checksum(name + cleaned + bytes(4))
    if not _names_place(keyword, _unpacked(text) if packed else text):
        return chunk
    return _with_checksum(_VOID + bytes(len(content) + 4))


def _unpacked(packed: bytes) -> bytes | None:
    """Return the text of a compressed chunk; None if it cannot be read or is larger than any honest one."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, _MOST_UNPACKED)
    except zlib.error:
        return None
    return text if not unpacker.unconsumed_tail else None


def _names_place(keyword: bytes, text: bytes | None) -> bool:
    """Whether a text names a place: as XMP, or as a raw profile (EXIF, IPTC or XMP written as hexadecimal digits)."""
    if text is None:
        return True
    if not keyword.startswith(_RAW):
        return _clean_xmp(text) != text
    try:
        profile = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except ValueError:
        return True
    cleaners = {b"8BIM": _clean_photoshop, b"Exif": _clean_exif, b"II*\0": _clean_exif, b"MM\0*": _clean_exif}
    return cleaners.get(profile[:4], _clean_xmp)(profile) != profile


_CHUNKS: dict[bytes, Cleaner] = {
    b"eXIf": _clean_exif_chunk,
    b"iTXt": _clean_text_chunk,
    b"zTXt": _clean_text_chunk,
    b"tEXt": _clean_text_chunk,
}


# --- WebP and HEIF ------------------------------------------------------------------------------------------------


def _webp_blocks(data: mmap.mmap) -> Iterator[Block]:
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack("<4sL", data[at : at + 8])
        cleaner = {b"EXIF": _clean_exif, b"XMP ": _clean_xmp}.get(name)
        if cleaner:
            piece = at + 8, min(length, len(data) - at - 8)
            yield Block([piece], cleaner, exif_at=0 if cleaner is _clean_exif else None)
        at += 8 + length + length % 2


def _heif_blocks(data: mmap.mmap) -> Iterator[Block]:
    for item in heif.metadata_items(data):
        if item.is_exif:
            head = heif.exif_heading(data, item.pieces)
            yield Block(heif.behind(item.pieces, head), _clean_exif, exif_at=0)
        else:
            yield Block(item.pieces, _clean_xmp)
    for at, length in heif.other_boxes(data):
        yield Block([(at, length)], _clean_film)


_BLOCKS: dict[str, Callable[[mmap.mmap], Iterator[Block]]] = {
    "jpeg": _jpeg_blocks,
    "png": _png_blocks,
    "webp": _webp_blocks,
    "heic": _heif_blocks,
}
