"""Plates: pages that show one picture each, its bytes unchanged, as a tagged PDF that can be bound into a book."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String
from PIL import Image

from tracker.reporting.binding import SAVING
from tracker.reporting.carrier import add_streams, chunks_of, write_empty
from tracker.reporting.sheet import A4_HEIGHT, A4_WIDTH, MM, TYPE_AREA

COLOURS = {"L": b"/DeviceGray", "RGB": b"/DeviceRGB"}
LARGEST_DOT = 72 / 96  # points; a small picture is shown as a screen shows it, not blown up
WIDE = 1.36  # pictures that are wider than a photograph of 4 to 3 lie on a turned sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """One upright JPEG, and what it shows in words, for those who cannot see it."""

    jpeg: Path
    alt: str


@dataclass(frozen=True, slots=True)
class _Picture:
    """What the head of a JPEG says: its size in dots, and the name of its colours in PDF."""

    width: int
    height: int
    colours: bytes

    @property
    def is_wide(self) -> bool:
        return self.width > WIDE * self.height


def plates(sequence: Sequence[Plate], target: Path) -> None:
    """Write a page for each plate to `target`: within the type area, at its top, in the middle.

    Raises ValueError for a file that is not a JPEG of grey or RGB dots.
    """
    pictures = [_picture(plate.jpeg) for plate in sequence]
    folder = tempfile.TemporaryDirectory(prefix="tracker-plates-", dir=target.parent)
    with folder as place:
        beside = Path(place) / "pictures.pdf"
        write_empty(beside)
        numbers = add_streams(beside, _streams(sequence, pictures))
        with pikepdf.open(beside) as book:
            _add_pages(book, sequence, pictures, numbers)
            book.save(target, **SAVING)


def _add_pages(book: Pdf, sequence: Sequence[Plate], pictures: Sequence[_Picture], numbers: Sequence[int]) -> None:
    """Add the pages for the pictures that lie in the book under these numbers, and its structure."""
    document = book.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Document, K=Array()))
    finder = Array()
    for place, (plate, picture, number) in enumerate(zip(sequence, pictures, numbers, strict=True)):
        figure = _add_page(book, book.get_object(number, 0), picture, place)
        figure.P, figure.Alt = document, String(plate.alt)
        document.K.append(figure)
        finder.append(place)
        finder.append(Array([figure]))
    tree = Dictionary(Type=Name.StructTreeRoot, K=Array([document]), ParentTree=Dictionary(Nums=finder))
    book.Root.StructTreeRoot = document.P = book.make_indirect(tree)


def _picture(path: Path) -> _Picture:
    with Image.open(path) as image:
        if image.format != "JPEG" or image.mode not in COLOURS:
            raise ValueError(f"{path} is not a JPEG of grey or RGB dots but {image.format} of {image.mode}")
        return _Picture(*image.size, COLOURS[image.mode])


def _streams(sequence: Sequence[Plate], pictures: Sequence[_Picture]) -> Iterator[tuple[bytes, Iterator[bytes]]]:
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace%s/BitsPerComponent 8/Filter/DCTDecode"
    for plate, picture in zip(sequence, pictures, strict=True):
        yield entries % (picture.width, picture.height, picture.colours), chunks_of(plate.jpeg)


def _add_page(book: Pdf, image: Object, picture: _Picture, number: int) -> Object:
    """Append the page of one picture; return its figure, yet without its words."""
    left, bottom, width, height = _place(picture)
    drawing = f"/Figure <</MCID 0>> BDC q {width:.3f} 0 0 {height:.3f} {left:.3f} {bottom:.3f} cm /Plate Do Q EMC"
    size = (A4_HEIGHT, A4_WIDTH) if picture.is_wide else (A4_WIDTH, A4_HEIGHT)
    page = Dictionary(
        Type=Name.Page,
        MediaBox=Array([0, 0, *size]),
        Resources=Dictionary(XObject=Dictionary(Plate=image)),
        Contents=Stream(book, drawing.encode()),
        StructParents=number,
        Tabs=Name.S,
    )
    book.pages.append(pikepdf.Page(book.make_indirect(page)))
    box = Array([round(side, 3) for side in (left, bottom, left + width, bottom + height)])
    layout = Dictionary(O=Name.Layout, BBox=box, Placement=Name.Block)
    return book.make_indirect(
        Dictionary(Type=Name.StructElem, S=Name.Figure, Pg=book.pages[-1].obj, K=Array([0]), A=layout)
    )


def _place(picture: _Picture) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height of a picture on its sheet, in points."""
    left, top, wide, high = (side * MM for side in TYPE_AREA)
    sheet = A4_HEIGHT
    if picture.is_wide:  # turned, the upright sheet's left edge is the head, and its foot is at the left
        left, top, wide, high = A4_HEIGHT - top - high, left, high, wide
        sheet = A4_WIDTH
    dot = min(LARGEST_DOT, wide / picture.width, high / picture.height)
    width, height = dot * picture.width, dot * picture.height
    return left + (wide - width) / 2, sheet - top - height, width, height
