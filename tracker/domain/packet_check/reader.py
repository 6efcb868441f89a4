"""A small, strict reader of PDF files: revisions, cross-reference tables and streams, objects, streams.

It repairs nothing: whatever is not as it should be raises Damaged. Objects are read when they are asked for.
"""

from __future__ import annotations

import mmap
import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Union

from tracker.domain.packet_check.parser import Bytes, Damaged, Ref, Stream, parse
from tracker.domain.text import _n

MOST_OBJECTS = 2_000_000
MOST_REVISIONS = 50
MOST_PAGES = 100_000
LARGEST_TABLE = 64_000_000  # bytes of a cross-reference stream, inflated
LARGEST_OBJECT_STREAM = 16_000_000  # bytes, inflated
KEPT_OBJECT_STREAMS = 16_000_000  # bytes, inflated
KEPT_OBJECTS = 20_000
KEPT_TEXT = 4_000_000  # bytes of the text of the objects that are kept
CHUNK = 1 << 18
MOST_INFLATED, INFLATED_TIMES = 1_000_000_000, 40  # bytes that a file may inflate to in all, and as many times its size
MOST_READ, READ_TIMES = 200_000_000, 8  # bytes of streams that are read in all, and as many times the size of the file
MOST_PARSED = 200_000_000  # bytes of the text of objects that are read in all, besides the size of the file
# Entries of a stream that make other bytes of it, and those that the table of objects may have.
READING = frozenset({"DecodeParms", "DP", "F", "FFilter", "FDecodeParms"})
OF_TABLE, PREDICTION = frozenset({"DecodeParms"}), frozenset({"Predictor", "Columns"})
INHERITED = ("CropBox", "MediaBox", "Resources", "Rotate")


class InFile(NamedTuple):
    """An object that lies in the file itself."""

    offset: int
    generation: int


class InStream(NamedTuple):
    """An object that lies in an object stream."""

    stream: int
    position: int


Place = Union[InFile, InStream, None]  # noqa: UP007  None: deleted


@dataclass(frozen=True)
class Revision:
    """What was written at once: from `start` to `end`; `table` is where its cross-reference section begins."""

    start: int
    table: int
    end: int
    trailer: dict[str, object]
    places: dict[int, Place]


@dataclass(frozen=True)
class Page:
    """A page: its object, and its entries together with those that it inherits."""

    ref: Ref
    entries: dict[str, object]


@dataclass
class _Kept:
    """Objects that were read already, as long as they are not too many."""

    objects: dict[tuple[int, int], object] = field(default_factory=dict)
    text: int = 0

    def add(self, key: tuple[int, int], value: object, size: int) -> None:
        if len(self.objects) >= KEPT_OBJECTS or self.text > KEPT_TEXT:
            self.objects.clear()
            self.text = 0
        self.objects[key] = value
        self.text += size


_OBJECT = re.compile(rb"([0-9]{1,10}) ([0-9]{1,5}) obj(?=[\x00\t\n\x0c\r <\[(/+\-.0-9tfn])")
_AFTER_OBJECT = re.compile(rb"[\x00\t\n\x0c\r ]*(endobj|stream(?:\r\n|\n))")
_AFTER_STREAM = re.compile(rb"(?:\r\n|\n|\r)?endstream[\x00\t\n\x0c\r ]+endobj")
_SUBSECTION = re.compile(rb"([0-9]{1,10}) ([0-9]{1,7}) ?(?:\r\n|\n|\r)")
_ENTRIES = re.compile(rb"([0-9]{10}) ([0-9]{5}) ([nf])(?: \n| \r|\r\n)")
_TABLE = re.compile(rb"xref ?(?:\r\n|\n|\r)")
_TRAILER = re.compile(rb"trailer[\x00\t\n\x0c\r ]*(?=<<)")
_END = re.compile(rb"[\x00\t\n\x0c\r ]*startxref[\r\n ]+([0-9]{1,15})[\r\n ]+%%EOF(?:\r\n|\n|\r|$)")
_LAST = re.compile(rb"startxref[\r\n ]+([0-9]{1,15})[\r\n ]+%%EOF(?:\r\n|\n|\r)?\Z")


class PdfReader:
    """A PDF file. Raises Damaged from everywhere; `revisions` are in the order in which they were written."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self._kept = _Kept()
        self._streams: OrderedDict[int, tuple[list[int], bytes]] = OrderedDict()
        self._streams_size = 0
        self._left_to_parse = MOST_PARSED + len(data)
        self._left_to_inflate = MOST_INFLATED + INFLATED_TIMES * len(data)
        self._left_to_read = MOST_READ + READ_TIMES * len(data)
        self._busy: set[int] = set()
        self.revisions: list[Revision] = []  # while they are read, nothing can be looked up in them
        if data[:5] != b"%PDF-":
            raise Damaged(0, _n("文件开头没有 PDF 的标记，不是 PDF 文件。"))
        self.revisions = self._all_revisions()

    @property
    def trailer(self) -> dict[str, object]:
        """The trailer of the last revision."""
        return self.revisions[-1].trailer

    @property
    def catalog(self) -> dict[str, object]:
        """The root of the document."""
        return self.dictionary(self.trailer.get("Root"))

    def resolved(self, value: object) -> object:
        """What a reference stands for (None where there is nothing), and everything else unchanged."""
        return self._object(value, len(self.revisions)) if isinstance(value, Ref) else value

    def as_of(self, ref: Ref, revision: int) -> object:
        """What a reference stood for in a revision, counted from 0."""
        return self._object(ref, revision + 1)

    def dictionary(self, value: object) -> dict[str, object]:
        """The dictionary that must stand there, that of a stream too; an empty one where nothing stands."""
        found = self.resolved(value)
        if found is None:
            return {}
        if isinstance(found, Stream):
            return found.entries
        if not isinstance(found, dict):
            raise Damaged(self.where(value), _n("这里应当是一个字典。"))
        return found

    def array(self, value: object) -> list[object]:
        """The array that must stand there; an empty one where nothing stands."""
        found = self.resolved(value)
        if found is None:
            return []
        if not isinstance(found, list):
            raise Damaged(self.where(value), _n("这里应当是一个数组。"))
        return found

    def stream(self, value: object) -> Stream:
        """The stream that must stand there."""
        found = self.resolved(value)
        if not isinstance(found, Stream):
            raise Damaged(self.where(value), _n("这里应当是一个数据流。"))
        return found

    def where(self, value: object) -> int:
        """Where an object lies in the file, as near as it can be said."""
        if isinstance(value, Ref):
            revision, place = self._place(value.number, len(self.revisions))
            if isinstance(place, InStream) and revision:
                place = revision.places.get(place.stream)
            return place.offset if isinstance(place, InFile) else 0
        return value.start if isinstance(value, Stream) else 0

    # ------------------------------------------------------------ streams

    def raw(self, stream: Stream) -> Iterator[bytes]:
        """The bytes of a stream as they lie in the file, piece by piece."""
        end = stream.start + stream.length
        self._left_to_read -= stream.length
        if self._left_to_read < 0:
            raise Damaged(stream.start, _n("对象过多，或者互相重叠。"))
        for at in range(stream.start, end, CHUNK):
            yield self.data[at : min(at + CHUNK, end)]

    def unpacked(self, stream: Stream, *, allowed: frozenset[str] = frozenset()) -> Iterator[bytes]:
        """The content of a stream, piece by piece; it must be stored plainly or by FlateDecode.

        It must have nothing more that says how to read it, but what is `allowed` because the caller reads it that way.
        """
        filters = self.resolved(stream.entries.get("Filter"))
        filters = filters if isinstance(filters, list) else [filters] if filters is not None else []
        more = any(self.resolved(stream.entries.get(name)) is not None for name in READING - allowed)
        if more or filters not in ([], ["FlateDecode"]):
            raise Damaged(stream.start, _n("数据流用了不支持的压缩方式。"))
        yield from self._inflated(stream) if filters else self.raw(stream)

    def content(self, stream: Stream, limit: int, *, allowed: frozenset[str] = frozenset()) -> bytes:
        """The content of a stream of `limit` bytes at most; `allowed` as for `unpacked`."""
        pieces, size = [], 0
        for piece in self.unpacked(stream, allowed=allowed):
            size += len(piece)
            if size > limit:
                raise Damaged(stream.start, _n("数据流解压后过大。"))
            pieces.append(piece)
        return b"".join(pieces)

    def _inflated(self, stream: Stream) -> Iterator[bytes]:
        inflater = zlib.decompressobj()
        try:
            for piece in self.raw(stream):
                rest = piece
                while rest and not inflater.eof:
                    yield self._counted(inflater.decompress(rest, CHUNK), stream)
                    rest = inflater.unconsumed_tail
                if inflater.unused_data:
                    raise Damaged(stream.start, _n("数据流之后还有多余的字节。"))
            yield inflater.flush()
        except zlib.error:
            raise Damaged(stream.start, _n("数据流无法解压。")) from None
        if not inflater.eof:
            raise Damaged(stream.start, _n("数据流不完整。"))

    def _counted(self, piece: bytes, stream: Stream) -> bytes:
        """The piece, as long as the file has not grown out of all proportion."""
        self._left_to_inflate -= len(piece)
        if self._left_to_inflate < 0:
            raise Damaged(stream.start, _n("数据流解压后过大。"))
        return piece

    # ------------------------------------------------------------ objects

    def _place(self, number: int, revisions: int) -> tuple[Revision | None, Place]:
        for revision in reversed(self.revisions[:revisions]):
            if number in revision.places:
                return revision, revision.places[number]
        return None, None

    def _object(self, ref: Ref, revisions: int) -> object:
        revision, place = self._place(ref.number, revisions)
        if revision is None or place is None:
            return None
        key = (revision.table, ref.number)
        if key not in self._kept.objects:
            self._kept.add(key, *self._read(ref, revision, place))
        return self._kept.objects[key]

    def _read(self, ref: Ref, revision: Revision, place: InFile | InStream) -> tuple[object, int]:
        """An object and the size of its text; one object may need few others to be read."""
        if self._left_to_parse < 0:
            raise Damaged(0, _n("对象过多，或者互相重叠。"))
        if ref.number in self._busy or len(self._busy) > 5:
            raise Damaged(0, _n("对象互相引用，没有尽头。"))
        self._busy.add(ref.number)
        try:
            value, size = self._looked_up(ref, revision, place)
        finally:
            self._busy.discard(ref.number)
        self._left_to_parse -= size
        return value, size

    def _looked_up(self, ref: Ref, revision: Revision, place: InFile | InStream) -> tuple[object, int]:
        if isinstance(place, InStream):
            return self._in_stream(ref, revision, place)
        if ref.generation != place.generation:
            raise Damaged(place.offset, _n("对象的代号与引用不符。"))
        value, end = self._in_file(ref.number, place.offset)
        return value, (value.start if isinstance(value, Stream) else end) - place.offset

    def _in_file(self, number: int, offset: int) -> tuple[object, int]:
        """The object that is written at `offset`, and the place behind its `endobj`."""
        head = _OBJECT.match(self.data, offset)
        if head is None or int(head[1]) != number:
            raise Damaged(offset, _n("交叉引用表所指的位置上没有这个对象。"))
        value, end = parse(self.data, head.end())
        after = _AFTER_OBJECT.match(self.data, end)
        if after is None or isinstance(value, Ref):
            raise Damaged(offset, _n("对象没有正确结束。"))
        if after[1] == b"endobj":
            return value, after.end()
        if not isinstance(value, dict):
            raise Damaged(offset, _n("数据流没有字典。"))
        length = self.resolved(value.get("Length"))
        if not isinstance(length, int) or not 0 <= length <= len(self.data) - after.end():
            raise Damaged(offset, _n("数据流的长度不对。"))
        behind = _AFTER_STREAM.match(self.data, after.end() + length)
        if behind is None:
            raise Damaged(offset, _n("数据流的长度不对。"))
        return Stream(value, after.end(), length), behind.end()

    def _in_stream(self, ref: Ref, revision: Revision, place: InStream) -> tuple[object, int]:
        container = revision.places.get(place.stream)
        if not isinstance(container, InFile) or ref.generation:
            raise Damaged(0, _n("对象流不在文件中。"))
        numbers, text = self._object_stream(place.stream, container.offset)
        if not 0 <= place.position < len(numbers) // 2 or numbers[2 * place.position] != ref.number:
            raise Damaged(container.offset, _n("对象流里没有这个对象。"))
        begin = numbers[2 * place.position + 1]
        value, end = parse(text, begin, base=container.offset)
        if isinstance(value, Ref):
            raise Damaged(container.offset, _n("对象没有正确结束。"))
        return value, end - begin

    def _object_stream(self, number: int, offset: int) -> tuple[list[int], bytes]:
        """The numbers and places of the objects in an object stream, by turns, and its content."""
        if offset in self._streams:
            self._streams.move_to_end(offset)
            return self._streams[offset]
        stream, _ = self._in_file(number, offset)
        if not isinstance(stream, Stream) or stream.entries.get("Type") != "ObjStm":
            raise Damaged(offset, _n("这里应当是一个对象流。"))
        text = self.content(stream, LARGEST_OBJECT_STREAM)
        first, count = stream.entries.get("First"), stream.entries.get("N")
        if not isinstance(first, int) or not isinstance(count, int) or not 0 <= first <= len(text):
            raise Damaged(offset, _n("对象流的目录不对。"))
        words = text[:first].split()
        if len(words) != 2 * count or not all(word.isdigit() and len(word) <= 10 for word in words):
            raise Damaged(offset, _n("对象流的目录不对。"))
        found = [int(word) + (first if at % 2 else 0) for at, word in enumerate(words)], text
        self._keep(offset, found)
        return found

    def _keep(self, offset: int, found: tuple[list[int], bytes]) -> None:
        """Keep an object stream, and forget those that were not used for long."""
        self._streams[offset] = found
        self._streams_size += len(found[1])
        while self._streams_size > KEPT_OBJECT_STREAMS:
            self._streams_size -= len(self._streams.popitem(last=False)[1][1])

    def every_object(self) -> Iterator[tuple[Ref, object]]:
        """Every object of the document as it stands now, those in object streams one stream after the other."""
        last: dict[int, tuple[Place, Revision]] = {}
        for revision in self.revisions:
            last.update((number, (place, revision)) for number, place in revision.places.items())
        order = sorted((_order(place, number), number) for number, (place, _) in last.items() if place)
        for _, number in order:
            place, revision = last[number]
            if place is not None:
                ref = Ref(number, place.generation if isinstance(place, InFile) else 0)
                yield ref, self._read(ref, revision, place)[0]

    # ------------------------------------------------------------ pages

    def pages(self) -> list[Page]:
        """All pages, in their order; every reader must find the same ones, from above and from below."""
        found: list[Page] = []
        seen: set[object] = set()
        ends: list[tuple[int, object, int]] = []  # nodes that are open: what waits behind, `Count`, pages before
        waiting: list[tuple[object, object, dict[str, object]]] = [(self.catalog.get("Pages"), None, {})]
        while waiting:
            ref, parent, above = waiting.pop()
            if not isinstance(ref, Ref) or ref in seen or len(seen) + len(waiting) > 2 * MOST_PAGES:
                raise Damaged(self.where(ref), _n("页面树不对：有重复、不是引用，或者过大。"))
            seen.add(ref)
            node = self.dictionary(ref)
            entries = {**above, **{name: node[name] for name in INHERITED if node.get(name) is not None}}
            kids = self.array(node.get("Kids"))
            is_page = self.resolved(node.get("Kids")) is None
            if node.get("Parent") != parent or node.get("Type") != ("Page" if is_page else "Pages"):
                raise Damaged(self.where(ref), _n("页面树不对：有的阅读器会显示别的页。"))
            if is_page:
                found.append(Page(ref, {**node, **entries}))
            else:
                ends.append((len(waiting), node.get("Count"), len(found)))
                waiting += [(kid, ref, entries) for kid in reversed(kids)]
            while ends and ends[-1][0] == len(waiting):
                _, count, before = ends.pop()
                if count != len(found) - before:
                    raise Damaged(self.where(ref), _n("页面树不对：写明的页数与实际不符。"))
        return found

    # ------------------------------------------------------------ revisions

    def _all_revisions(self) -> list[Revision]:
        last = _LAST.search(self.data, max(0, len(self.data) - 64))
        if last is None:
            raise Damaged(max(0, len(self.data) - 1), _n("文件末尾不是 PDF 的结尾标记：后面被截去，或者加了东西。"))
        tables: list[tuple[int, int, dict[str, object], dict[int, Place]]] = []
        table: object = int(last[1])
        while table is not None:
            if not isinstance(table, int) or not 0 < table < (tables[-1][0] if tables else len(self.data)):
                raise Damaged(tables[-1][0] if tables else len(self.data), _n("交叉引用表的位置不对。"))
            tables.append((table, *self._table(table)))
            if len(tables) > MOST_REVISIONS or sum(len(places) for *_, places in tables) > MOST_OBJECTS:
                raise Damaged(table, _n("对象或修订过多。"))
            table = tables[-1][2].get("Prev")
        return self._in_order(tables[::-1])

    def _in_order(self, tables: list[tuple[int, int, dict[str, object], dict[int, Place]]]) -> list[Revision]:
        revisions: list[Revision] = []
        for table, end, trailer, places in tables:
            start = revisions[-1].end if revisions else 0
            outside = any(isinstance(at, InFile) and not start <= at.offset <= table for at in places.values())
            if outside or table < start:
                raise Damaged(table, _n("交叉引用表指向它所属的修订之外。"))
            size = trailer.get("Size")
            if not isinstance(size, int) or max(places, default=0) >= size or _size_of(revisions) > size:
                raise Damaged(table, _n("交叉引用表里的对象比写明的多。"))
            revisions.append(Revision(start, table, end, trailer, places))
        if revisions[-1].end != len(self.data):
            raise Damaged(revisions[-1].end, _n("文件末尾有多余的字节。"))
        return revisions

    def _table(self, table: int) -> tuple[int, dict[str, object], dict[int, Place]]:
        """The end of the revision, the trailer and the places of a cross-reference section."""
        head = _TABLE.match(self.data, table)
        end, trailer, places = self._classic(head.end()) if head else self._compressed(table)
        tail = _END.match(self.data, end)
        if tail is None or int(tail[1]) != table or "XRefStm" in trailer:
            raise Damaged(end, _n("交叉引用表之后没有与它相符的结尾标记。"))
        return tail.end(), trailer, places

    def _classic(self, place: int) -> tuple[int, dict[str, object], dict[int, Place]]:
        places: dict[int, Place] = {}
        listed = 0
        while head := _SUBSECTION.match(self.data, place):
            first, count, place = int(head[1]), int(head[2]), head.end()
            lines = self.data[place : place + 20 * count]
            found = _ENTRIES.findall(lines)
            if len(found) != count or len(lines) != 20 * count or len(places) + count > MOST_OBJECTS:
                raise Damaged(place, _n("交叉引用表有一行不合规定。"))
            for number, (offset, generation, kind) in enumerate(found, start=first):
                places[number] = InFile(int(offset), int(generation)) if kind == b"n" else None
            listed, place = listed + count, place + 20 * count
            if listed != len(places):
                raise Damaged(place, _n("交叉引用表里有一个对象列了两次。"))
        head = _TRAILER.match(self.data, place)
        if head is None:
            raise Damaged(place, _n("交叉引用表之后没有 trailer。"))
        trailer, end = parse(self.data, head.end())
        if not isinstance(trailer, dict):
            raise Damaged(place, _n("交叉引用表之后没有 trailer。"))
        return end, trailer, places

    def _compressed(self, table: int) -> tuple[int, dict[str, object], dict[int, Place]]:
        head = _OBJECT.match(self.data, table)
        if head is None:
            raise Damaged(table, _n("startxref 所指的位置上没有交叉引用表。"))
        stream, end = self._in_file(int(head[1]), table)
        if not isinstance(stream, Stream) or stream.entries.get("Type") != "XRef":
            raise Damaged(table, _n("startxref 所指的位置上没有交叉引用表。"))
        widths = stream.entries.get("W")
        if not isinstance(widths, list) or len(widths) != 3 or not all(w in range(9) for w in widths):
            raise Damaged(table, _n("交叉引用流的列宽不对。"))
        rows = self._rows(stream, sum(widths))
        places = dict(_entries(rows, _numbers(stream), widths, table))
        if len(places) != len(rows):
            raise Damaged(table, _n("交叉引用表里有一个对象列了两次。"))
        return end, stream.entries, places

    def _rows(self, stream: Stream, width: int) -> list[bytes]:
        """The lines of a cross-reference stream, with the PNG predictor undone."""
        text = self.content(stream, LARGEST_TABLE, allowed=OF_TABLE)
        options = self.dictionary(stream.entries.get("DecodeParms"))
        predictor = options.get("Predictor", 1)
        step = width + (predictor != 1)
        wrong = predictor not in (1, 10, 11, 12, 13, 14, 15) or (predictor != 1 and options.get("Columns") != width)
        if wrong or options.keys() - PREDICTION or not width or len(text) % step or len(text) // step > MOST_OBJECTS:
            raise Damaged(stream.start, _n("交叉引用流的内容不合规定。"))
        lines = [text[at : at + step] for at in range(0, len(text), step)]
        return lines if predictor == 1 else list(_unpredicted(lines, width, stream.start))


def _size_of(revisions: list[Revision]) -> int:
    """How many objects the last of some revisions says there are."""
    size = revisions[-1].trailer["Size"] if revisions else 0
    return size if isinstance(size, int) else 0


def _order(place: Place, number: int) -> tuple[int, int, int]:
    return (0, place.stream, place.position) if isinstance(place, InStream) else (1, number, 0)


def _unpredicted(lines: list[bytes], width: int, where: int) -> Iterator[bytes]:
    above = bytes(width)
    for line in lines:
        if line[0] not in {0, 2}:  # None and Up are what is written for tables
            raise Damaged(where, _n("交叉引用流的内容不合规定。"))
        above = bytes(map(_sum, line[1:], above)) if line[0] else line[1:]
        yield above


def _sum(one: int, other: int) -> int:
    return (one + other) & 255


def _numbers(stream: Stream) -> Iterator[int]:
    """The object numbers of the lines of a cross-reference stream."""
    index = stream.entries.get("Index", [0, stream.entries.get("Size")])
    if not isinstance(index, list) or len(index) % 2 or not all(isinstance(n, int) and 0 <= n < 10**10 for n in index):
        raise Damaged(stream.start, _n("交叉引用流的内容不合规定。"))
    for at in range(0, len(index), 2):
        yield from range(index[at], index[at] + index[at + 1])


def _entries(rows: list[bytes], numbers: Iterator[int], widths: list[int], where: int) -> Iterator[tuple[int, Place]]:
    one, two = widths[0], widths[0] + widths[1]
    for row in rows:
        number = next(numbers, None)
        kind = int.from_bytes(row[:one], "big") if one else 1
        if number is None or kind > 2:
            raise Damaged(where, _n("交叉引用流的内容不合规定。"))
        first, second = int.from_bytes(row[one:two], "big"), int.from_bytes(row[two:], "big")
        yield number, (InStream(first, second) if kind == 2 else InFile(first, second) if kind else None)
    if next(numbers, None) is not None:
        raise Damaged(where, _n("交叉引用流的内容不合规定。"))


@contextmanager
def opened(path: Path) -> Iterator[PdfReader]:
    """Read a file without loading it. Raises Damaged; OSError where it cannot be opened."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise Damaged(0, _n("文件是空的。"))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield PdfReader(data)
