"""Draws the stamp of each page: running head, page number, the code to check it by; what lies under it stays as it is.

Stamps are made before the manifest, which holds their digests; the QR code, which holds the manifest's, comes last.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

import pikepdf
import segno
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream

from tracker.domain.packet_check.content import PageDigests
from tracker.domain.packet_check.qr import version_for
from tracker.domain.packet_check.reader import PdfReader
from tracker.domain.text import _n
from tracker.reporting.binding import SAVING
from tracker.reporting.fonts import FontSet
from tracker.reporting.sheet import A4_HEIGHT, MM, TYPE_AREA
from tracker.reporting.stamp_fonts import StampFont, StampFonts, font_dictionary
from tracker.reporting.words import Translate, width

LEFT, RIGHT = TYPE_AREA[0] * MM, (TYPE_AREA[0] + TYPE_AREA[2]) * MM
HEAD_SIZE, NUMBER_SIZE, SMALL_SIZE = 9.0, 14.0, 7.0  # points
HEAD_LINE = A4_HEIGHT - 30 * MM + 3.2  # where the letters stand: 7 mm above the type area, as in report.css
NUMBER_LINE = 73.9  # the dash stands 7 mm below the type area
HEAD_SHARES = (0.57, 0.41)  # of the measure, for the longer and the shorter of what stands left and right
QR_SIDE, QR_FOOT = 15 * MM, 16 * MM
SMALL_LINES = (QR_FOOT + 8.6 * MM, QR_FOOT + 4.6 * MM)
SMALL_GAP = 2 * MM
FONT, QR = "TrkF", "TrkQR"


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedPage:
    """What is stamped on a page: its size in points, the running head, its number, and its check code.

    `number` of `total` counts through all volumes; `volume` is 0 where there is but one. A cover has neither head nor
    large number.
    """

    width: float
    height: float
    left: str
    right: str
    number: int
    total: int
    code: str
    volume: int = 0
    is_cover: bool = False


@dataclass(frozen=True, slots=True)
class Stamps:
    """The stamp of each page, deflated as it will lie in the PDF, and the fonts that they are drawn with."""

    streams: tuple[bytes, ...]
    fonts: tuple[StampFont, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """The SHA-256 of each page's stamp, in hex."""
        return tuple(hashlib.sha256(stream).hexdigest() for stream in self.streams)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text on the upright sheet: where it begins (or, negative, ends), on which height."""

    role: str
    size: float
    text: str
    x: float
    y: float
    ends: bool = False
    widest: float = 0.0


def make_stamps(pages: Sequence[StampedPage], *, packet: str, fonts: FontSet, translate: Translate) -> Stamps:
    """Return the stamps of the pages, in their order; `packet` is what the document calls itself, with its number.

    Raises FontError for a character that no font of the set draws.
    """
    lines = [list(_lines(page, packet, translate)) for page in pages]
    texts: dict[str, set[str]] = {}
    for line in (line for page in lines for line in page):
        texts.setdefault(line.role, {"…"}).add(line.text)
    cut = StampFonts(fonts, texts)
    streams = tuple(
        zlib.compress(_drawing(page, own, cut).encode("ascii")) for page, own in zip(pages, lines, strict=True)
    )
    return Stamps(streams, cut.fonts)


def _lines(page: StampedPage, packet: str, translate: Translate) -> Iterator[_Line]:
    """Yield what is written. The outer edge is the right one of an odd page and the left one of an even page."""
    measure = RIGHT - LEFT
    is_odd = page.number % 2 == 1
    left, right = HEAD_SHARES if width(page.left) >= width(page.right) else reversed(HEAD_SHARES)
    if not page.is_cover:
        yield _Line("kaiti", HEAD_SIZE, page.left, LEFT, HEAD_LINE, widest=left * measure)
        yield _Line("kaiti", HEAD_SIZE, page.right, RIGHT, HEAD_LINE, ends=True, widest=right * measure)
        outer = RIGHT - NUMBER_SIZE if is_odd else LEFT + NUMBER_SIZE
        yield _Line("song", NUMBER_SIZE, f"— {page.number} —", outer, NUMBER_LINE, ends=is_odd)
    beside = LEFT + QR_SIDE + SMALL_GAP if is_odd else RIGHT - QR_SIDE - SMALL_GAP
    of_all = _n("%(packet)s　第 %(page)d 页 共 %(pages)d 页")
    of_volumes = _n("%(packet)s　第 %(volume)d 册　第 %(page)d 页 共 %(pages)d 页")
    facts = {"packet": packet, "volume": page.volume, "page": page.number, "pages": page.total}
    place = translate(of_volumes if page.volume else of_all) % facts
    code = translate(_n("校验码 %(code)s")) % {"code": page.code}
    for text, height in zip((place, code), SMALL_LINES, strict=True):
        yield _Line("kaiti", SMALL_SIZE, text, beside, height, ends=not is_odd)


def _drawing(page: StampedPage, lines: list[_Line], cut: StampFonts) -> str:
    """Return the operators of a stamp, marked as what is no content, the graphics state as it was."""
    qr_left = LEFT if page.number % 2 == 1 else RIGHT - QR_SIDE
    # A landscape page is the upright sheet turned: its head is where the upright sheet's left edge is.
    turn = f"0 -1 1 0 0 {_short(page.height)} cm" if page.width > page.height else ""
    text = " ".join(_text(line, cut) for line in lines if line.text)
    code = f"q {_short(QR_SIDE)} 0 0 {_short(QR_SIDE)} {_short(qr_left)} {_short(QR_FOOT)} cm /{QR} Do Q"
    return f"/Artifact <</Type /Pagination>> BDC q {turn} 0 g BT {text} ET {code} Q EMC"


def _text(line: _Line, cut: StampFonts) -> str:
    shown = _shortened(line, cut)
    x = line.x - cut.width(line.role, shown) * line.size if line.ends else line.x
    drawn = [f"1 0 0 1 {_short(x)} {_short(line.y)} Tm"]
    for font, run in cut.runs(line.role, shown):
        codes = "".join(f"{font.glyphs[character]:04x}" for character in run)
        drawn.append(f"/{font.name} {_short(line.size)} Tf <{codes}> Tj")
    return " ".join(drawn)


def _shortened(line: _Line, cut: StampFonts) -> str:
    """Return the text, or as much of it with an ellipsis as there is room for."""
    text = line.text
    while line.widest and cut.width(line.role, text) * line.size > line.widest:
        text = text.removesuffix("…")[:-1] + "…"
    return text


def _short(number: float) -> str:
    return f"{number:.3f}".rstrip("0").rstrip(".")


def add_stamps(book: Pdf, stamps: Stamps, *, qr: str) -> None:
    """Put the stamps before the content of the pages of `book`, with fonts and the QR code of the text `qr`.

    Raises ValueError for a text that is too long for the code.
    """
    named = {"/Font": _fonts_in(book, stamps.fonts), "/XObject": {f"/{QR}": code_form(book, qr)}}
    known: dict[tuple[int, int], Object] = {}
    for page, stream in zip(book.pages, stamps.streams, strict=True):
        own = page.obj.Contents
        stamp = Stream(book, stream, Filter=Name.FlateDecode, TrkStamp=True)
        page.obj.Contents = Array([stamp, *(own.as_list() if isinstance(own, Array) else [own])])
        place = page.obj.Resources.objgen
        if place not in known or not page.obj.Resources.is_indirect:
            known[place] = book.make_indirect(_with_parts(page.obj.Resources, named))
        page.obj.Resources = known[place]


def font_digests(stamps: Stamps) -> dict[str, str]:
    """The digest of each font's dictionary by its resource name, as it will lie in a packet (`docs/packet.md`)."""
    file = BytesIO()
    with pikepdf.new() as book:
        book.add_blank_page()
        book.pages[0].obj.Resources = Dictionary(Font=Dictionary(_fonts_in(book, stamps.fonts)))
        book.save(file, **SAVING)
    reader = PdfReader(file.getvalue())
    pages = reader.pages()
    digests = PageDigests(reader, pages)
    fonts = reader.dictionary(reader.dictionary(pages[0].entries["Resources"])["Font"])
    return {name: digests.of_object(font) for name, font in fonts.items()}


def _fonts_in(book: Pdf, fonts: Sequence[StampFont]) -> dict[str, Object]:
    return {f"/{font.name}": font_dictionary(book, font) for font in fonts}


def _with_parts(resources: Object, named: dict[str, dict[str, Object]]) -> Dictionary:
    """Resources with those of the stamp, apart: forms may use the same ones, and must stay as they are."""
    return Dictionary(
        {
            **dict(resources.items()),
            **{
                kind: Dictionary({**dict(resources.get(kind, Dictionary()).items()), **parts})
                for kind, parts in named.items()
            },
        }
    )


def code_form(book: Pdf, text: str) -> Object:
    """Return the QR code of a text as a form of one by one unit: dark modules are squares, the margin is the sheet's.

    Raises ValueError for a text that is too long.
    """
    code = segno.make_qr(text, error="m", mode="byte", version=version_for(text), boost_error=False)
    matrix = code.matrix
    count = len(matrix)
    squares = " ".join(
        f"{column} {count - 1 - row} 1 1 re"
        for row, modules in enumerate(matrix)
        for column, is_dark in enumerate(modules)
        if is_dark
    )
    return Stream(
        book,
        zlib.compress(f"{squares} f".encode()),
        Filter=Name.FlateDecode,
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array([0, 0, count, count]),
        Matrix=Array([_side(count), 0, 0, _side(count), 0, 0]),
        Resources=Dictionary(),
    )


def _side(count: int) -> float:
    return round(1 / count, 8)
