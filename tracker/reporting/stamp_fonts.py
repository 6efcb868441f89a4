"""The fonts of the stamps: for each character the first font of a role that draws it, cut down to what is stamped."""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import uharfbuzz as hb  # type: ignore[import-untyped]
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

from tracker.reporting import outlines
from tracker.reporting.binding_fonts import compressed, to_unicode, width_array
from tracker.reporting.fonts import FACES, SYSTEM_FOLDERS, FontError, FontSet
from tracker.reporting.truetype import read_glyphs

_LAYOUT = [int.from_bytes(tag, "big") for tag in (b"GDEF", b"GPOS", b"GSUB")]  # tables that cut fonts do without
SYMBOLIC = 4  # of a font's flags: its characters are its own


@dataclass(frozen=True, slots=True)
class StampFont:
    """A cut font: its resource name, its file deflated as it will lie in the PDF, and what is in it.

    `glyphs` gives for each character its number, `widths` the advance of each number in thousandths of an em;
    `box` and `line` (ascent, descent) are in the same unit.
    """

    name: str
    family: str
    file: bytes
    length: int
    glyphs: Mapping[str, int]
    widths: Mapping[int, int]
    box: tuple[int, int, int, int]
    line: tuple[int, int]

    @property
    def sha256(self) -> str:
        """The digest of the font file as it lies in the PDF."""
        return hashlib.sha256(self.file).hexdigest()


class StampFonts:
    """The fonts that draw the texts of a role each; made for exactly these texts."""

    def __init__(self, fonts: FontSet, texts: Mapping[str, Iterable[str]]) -> None:
        """Cut the fonts. Raises FontError for a character that none of its role's fonts draws."""
        self._source: dict[tuple[str, str], Path] = {}
        wanted: dict[Path, set[str]] = {}
        for role, lines in sorted(texts.items()):
            for character, path in _sources(_chain(fonts, role), set("".join(lines))):
                self._source[role, character] = path
                wanted.setdefault(path, set()).add(character)
        self._cut = {path: _cut(f"TrkF{place}", path, wanted[path]) for place, path in enumerate(sorted(wanted))}

    @property
    def fonts(self) -> tuple[StampFont, ...]:
        """The fonts, TrkF0 first."""
        return tuple(self._cut.values())

    def runs(self, role: str, text: str) -> Iterator[tuple[StampFont, str]]:
        """Yield the text in runs that one font draws."""
        for path, run in groupby(text, lambda character: self._source[role, character]):
            yield self._cut[path], "".join(run)

    def width(self, role: str, text: str) -> float:
        """Return how wide the text is, in ems."""
        runs = self.runs(role, text)
        return sum(font.widths[font.glyphs[character]] for font, run in runs for character in run) / 1000


def font_dictionary(book: Pdf, font: StampFont) -> Object:
    """Write the font into the book; return what the resources name."""
    tag = "".join(chr(ord("A") + int(digit, 16)) for digit in font.sha256[:6])
    base = Name(f"/{tag}+{font.family.replace(' ', '-')}")
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=base,
        Flags=SYMBOLIC,
        FontBBox=Array(font.box),
        ItalicAngle=0,
        Ascent=font.line[0],
        Descent=font.line[1],
        CapHeight=font.line[0],
        StemV=80,
        FontFile2=Stream(book, font.file, Filter=Name.FlateDecode, Length1=font.length),
    )
    descendant = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=base,
        CIDSystemInfo=Dictionary(Registry=String("Adobe"), Ordering=String("Identity"), Supplement=0),
        CIDToGIDMap=Name.Identity,
        W=width_array(dict(font.widths)),
        FontDescriptor=book.make_indirect(descriptor),
    )
    texts = {glyph: character.encode("utf-16-be").hex().encode() for character, glyph in font.glyphs.items()}
    whole = Dictionary(
        Type=Name.Font,
        Subtype=Name.Type0,
        BaseFont=base,
        Encoding=Name("/Identity-H"),
        DescendantFonts=Array([book.make_indirect(descendant)]),
        ToUnicode=compressed(book, to_unicode(texts)),
    )
    return book.make_indirect(whole)


def _chain(fonts: FontSet, role: str) -> Iterator[Path]:
    """Yield the files of a role's fonts in their order, the regular weight of each family."""
    licensed = fonts.directory / f"licensed-{role}.ttf"
    if fonts.is_prepared and licensed.is_file():
        yield licensed
    for family in fonts.families[role].replace('"', "").split(", "):
        face = next((face for face in FACES if face.family == family), None)
        if face is not None:
            yield fonts.directory / face.target if fonts.is_prepared else _system_file(face.source)


def _system_file(name: str) -> Path:
    return next(path for folder in SYSTEM_FOLDERS if folder.is_dir() for path in sorted(folder.rglob(name)))


def _sources(chain: Iterator[Path], characters: set[str]) -> Iterator[tuple[str, Path]]:
    """Yield each character with the first font of the chain that draws it."""
    missing = set(characters)
    for path in chain:
        if not missing:
            return
        known = _characters_of(path)
        drawn = {character for character in missing if ord(character) in known}
        yield from ((character, path) for character in sorted(drawn))
        missing -= drawn
    if missing:
        raise FontError(f"no font draws {', '.join(f'U+{ord(character):04X}' for character in sorted(missing))}")


def _characters_of(path: Path) -> Collection[int]:
    """Return the code points that a font draws, from a whole TrueType font in a few milliseconds."""
    if path.suffix == ".ttf":
        return frozenset(hb.Face(hb.Blob.from_file_path(path)).unicodes)
    with outlines.open_face(path, _family(path)) as font:
        return outlines.characters_of(font)


def _write_cut(path: Path, target: Path, characters: frozenset[int]) -> None:
    """Write a font of nothing but these characters; of a TrueType font the outlines stay as they are."""
    if path.suffix != ".ttf":
        with outlines.open_face(path, _family(path)) as font:
            outlines.write_truetype(font, target, characters)
        return
    wanted = hb.SubsetInput()
    wanted.unicode_set.update(characters)
    wanted.drop_table_tag_set.update(_LAYOUT)
    wanted.flags = hb.SubsetFlags.NO_HINTING | hb.SubsetFlags.NOTDEF_OUTLINE
    target.write_bytes(hb.subset(hb.Face(hb.Blob.from_file_path(path)), wanted).blob.data)


def _family(path: Path) -> str:
    """Return which family is meant in a collection of the system."""
    return next((face.family for face in FACES if face.source == path.name), "")


def _cut(name: str, path: Path, characters: set[str]) -> StampFont:
    with tempfile.TemporaryDirectory(prefix="tracker-stamp-") as folder:
        target = Path(folder) / "cut.ttf"
        _write_cut(path, target, frozenset(map(ord, characters)))
        with outlines.open_face(target) as font:
            scale = 1000 / font["head"].unitsPerEm
            numbers = {code: font.getGlyphID(glyph) for code, glyph in font.getBestCmap().items()}
            widths = {font.getGlyphID(glyph): round(font["hmtx"][glyph][0] * scale) for glyph in font.getGlyphOrder()}
            head, line = font["head"], font["hhea"]
            box = tuple(round(side * scale) for side in (head.xMin, head.yMin, head.xMax, head.yMax))
            content = read_glyphs(target.read_bytes(), widths).to_bytes()
            return StampFont(
                name,
                outlines.family_of(font),
                zlib.compress(content),
                len(content),
                {chr(code): number for code, number in numbers.items()},
                widths,
                (box[0], box[1], box[2], box[3]),
                (round(line.ascent * scale), round(line.descent * scale)),
            )
