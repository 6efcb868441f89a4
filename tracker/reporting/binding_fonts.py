"""Makes one font of the subsets that each part of a book brought along: the same glyphs under the same numbers.

WeasyPrint keeps the numbers of the glyphs and names a font after what it is, so that nothing on the pages changes.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from tracker.reporting.truetype import GlyphStore, OtherFont, read_glyphs

_MAPPED = re.compile(rb"<([0-9a-fA-F]{4})> <([0-9a-fA-F]+)>")
_GAP = re.compile(rb"(?<=[\d\]]) (?=[\d\[])")
FIXED_PITCH = 1


@dataclass
class _Union:
    """What the subsets of one font have together: glyphs, widths and texts by number, and where they are in use."""

    font: Object
    glyphs: GlyphStore
    widths: dict[int, int]
    texts: dict[int, bytes]
    uses: list[tuple[Object, str]] = field(default_factory=list)


class FontBinder:
    """Takes the fonts out of the parts of a book, and puts one in the place of those that are the same."""

    def __init__(self, book: Pdf) -> None:
        self.book = book
        self.unions: dict[str, list[_Union]] = {}

    def detach(self, resources: Object) -> dict[str, _Union]:
        """Take the fonts out of a part's resources, before they are copied; return what each key shall name."""
        fonts = resources.get("/Font", Dictionary())
        found = {key: fonts[key] for key in sorted(fonts.keys()) if _is_plain_truetype(fonts[key])}
        for key in found:
            del fonts[key]
        return {key: self._union_with(font) for key, font in found.items()}

    def attach(self, resources: Object, unions: dict[str, _Union]) -> None:
        """Note where in the book the fonts belong that were taken out of these resources."""
        for key, union in unions.items():
            union.uses.append((resources.Font, key))

    def unite(self) -> None:
        """Write each font once."""
        for union in (union for same_name in self.unions.values() for union in same_name):
            font = _written(self.book, union)
            for fonts, key in union.uses:
                fonts[key] = font

    def _union_with(self, font: Object) -> _Union:
        """Return the union that the font went into; one of its name that contradicts it is another font."""
        descendant = font.DescendantFonts[0]
        widths = _widths(descendant.W)
        glyphs = read_glyphs(_content(descendant.FontDescriptor.FontFile2), widths)
        texts = _texts(_content(font.ToUnicode))
        same_name = self.unions.setdefault(str(font.BaseFont), [])
        for union in same_name:
            try:
                union.glyphs.add(glyphs)
            except OtherFont:
                continue
            union.widths |= {glyph: width for glyph, width in widths.items() if glyph not in union.widths}
            union.texts |= {glyph: text for glyph, text in texts.items() if glyph not in union.texts}
            return union
        del descendant.FontDescriptor.FontFile2, descendant.W, font.ToUnicode
        same_name.append(_Union(self.book.copy_foreign(font), glyphs, widths, texts))
        return same_name[-1]


def _is_plain_truetype(font: Object) -> bool:
    """Tell whether codes, character numbers and glyph numbers of the font are the same, and its outlines TrueType."""
    return (
        font.Subtype == Name.Type0
        and font.Encoding == Name("/Identity-H")
        and font.DescendantFonts[0].get("/CIDToGIDMap") == Name.Identity
        and "/FontFile2" in font.DescendantFonts[0].FontDescriptor
    )


def _content(stream: Object) -> bytes:
    """Return the bytes of a stream, inflated by zlib itself where nothing else is to do."""
    if stream.get("/Filter") == Name.FlateDecode and "/DecodeParms" not in stream:
        return zlib.decompress(stream.read_raw_bytes())
    return stream.read_bytes()


def _widths(array: Object) -> dict[int, int]:
    """Return the width of each glyph in a /W array of the form `first [width …]`, as WeasyPrint writes it."""
    items = json.loads(_GAP.sub(b",", array.unparse(resolved=True)))  # much quicker than number by number
    found: dict[int, int] = {}
    for first, widths in zip(items[::2], items[1::2], strict=True):
        found.update(enumerate(widths, first))
    return found


def _texts(cmap: bytes) -> dict[int, bytes]:
    """Return the text of each glyph, as UTF-16 in hex."""
    mappings = cmap.partition(b"endcodespacerange")[2]
    return {int(glyph, 16): text for glyph, text in _MAPPED.findall(mappings)}


def _written(book: Pdf, union: _Union) -> Object:
    """Return the one font; its file and its map to text are compressed here, that they stay as they are."""
    content = union.glyphs.to_bytes()
    descendant = union.font.DescendantFonts[0]
    descriptor = descendant.FontDescriptor
    descriptor.FontFile2 = compressed(book, content, Length1=len(content))
    descriptor.FontBBox = _box(union)
    if len(set(union.widths.values())) > 1:
        descriptor.Flags = int(descriptor.Flags) & ~FIXED_PITCH
    descendant.W = width_array(union.widths)
    union.font.ToUnicode = compressed(book, to_unicode(union.texts))
    return union.font


def _box(union: _Union) -> Array:
    box = list(union.font.DescendantFonts[0].FontDescriptor.FontBBox.as_list())
    return Array([box[0], box[1], max(union.widths.values()), box[3]])


def compressed(book: Pdf, content: bytes, **entries: int) -> Object:
    """Return a new stream of the book with `content` deflated."""
    return Stream(book, zlib.compress(content), Filter=Name.FlateDecode, **entries)


def width_array(widths: dict[int, int]) -> Array:
    """Return the /W array for widths in thousandths of an em by glyph: runs of neighbours, each `first [width …]`."""
    runs: list[tuple[int, list[int]]] = []
    for glyph in sorted(widths):
        if not runs or glyph != runs[-1][0] + len(runs[-1][1]):
            runs.append((glyph, []))
        runs[-1][1].append(widths[glyph])
    return Array([item for first, run in runs for item in (first, Array(run))])


def to_unicode(texts: dict[int, bytes]) -> bytes:
    """Return the CMap that gives each glyph its text (UTF-16 in hex)."""
    lines = [
        b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap",
        b"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def",
        b"1 begincodespacerange\n<0000> <ffff>\nendcodespacerange",
    ]
    for batch in _batches(sorted(texts), 100):
        lines += [b"%d beginbfchar" % len(batch), *(b"<%04x> <%s>" % (glyph, texts[glyph]) for glyph in batch)]
        lines.append(b"endbfchar")
    return b"\n".join([*lines, b"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"])


def _batches(glyphs: list[int], size: int) -> Iterable[list[int]]:
    return (glyphs[start : start + size] for start in range(0, len(glyphs), size))
