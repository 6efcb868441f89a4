"""Binds parts that were laid out apart into one book, a tagged PDF/A; the only module that knows how parts are joined.

A part is a PDF/A of WeasyPrint without margin boxes, or plates. The bytes of every stream stay as they came, except
those of fonts, which the parts have in common; nothing is read from a clock.
"""

from __future__ import annotations

import hashlib
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

from tracker.reporting.binding_fonts import FontBinder
from tracker.reporting.binding_outline import OutlineBinder, top_of
from tracker.reporting.binding_pictures import PictureBinder, resources_of
from tracker.reporting.binding_structure import StructureBinder, take_out

ADDRESS = "https://packet.invalid/#"  # how a link of one part names the anchor of another
# Streams are written as they are; each has its filter, so that only the objects' own streams are deflated.
SAVING: dict[str, Any] = {
    "compress_streams": True,
    "stream_decode_level": pikepdf.StreamDecodeLevel.none,
    "object_stream_mode": pikepdf.ObjectStreamMode.generate,
    "deterministic_id": True,
    "min_version": "1.7",
}
_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
 xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" xmlns:xmp="http://ns.adobe.com/xap/1.0/">
<pdfaid:part>3</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{title}</rdf:li></rdf:Alt></dc:title>
<dc:identifier>{identifier}</dc:identifier><dc:language><rdf:Bag><rdf:li>{language}</rdf:li></rdf:Bag></dc:language>
<xmp:CreateDate>{moment}</xmp:CreateDate><xmp:ModifyDate>{moment}</xmp:ModifyDate><pdf:Producer>{producer}</pdf:Producer>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a book: its file, the anchor that links name it by, its title and depth (from 0) in the outline.

    `above`, where it is given, is the title of an entry over this and the following parts of the same depth.
    """

    pdf: Path
    anchor: str
    title: str
    depth: int = 0
    above: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundPage:
    """A page of the book: which part it is of and which page of that part, both from 0; width and height in points."""

    part: int
    page: int
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Link:
    """A link of a part: its page and its place among that page's annotations, and where it leads."""

    page: int
    place: int
    anchor: str | None = None
    within: tuple[int, list[Any]] | None = None


def bind(
    parts: Sequence[Part], target: Path, *, title: str, language: str, created: datetime, identifier: str
) -> list[BoundPage]:
    """Write the parts as one PDF/A-3a to `target`; return its pages. The same parts give the same bytes.

    A link to `anchor+N` leads N pages into the part. Links to an anchor that none of the parts has (it may be in
    another volume) become plain text. Raises KeyError for a part that is not tagged, PdfError for one that is no PDF.
    """
    with tempfile.TemporaryDirectory(prefix="tracker-binding-", dir=target.parent) as folder:
        beside = Path(folder) / "pictures.pdf"
        pictures = PictureBinder((part.pdf for part in parts), beside)
        with pikepdf.open(beside) as book:
            binder = _Binder(book, {part.anchor for part in parts}, pictures)
            pages = [page for number, part in enumerate(parts) for page in binder.add(number, part)]
            binder.close({part.anchor: part.title for part in parts})
            _describe(book, title=title, language=language, created=created, identifier=identifier)
            book.save(target, **SAVING)
    binder.structure.append_to(target)
    return pages


class _Binder:
    """The book while it grows."""

    def __init__(self, book: Pdf, anchors: set[str], pictures: PictureBinder) -> None:
        self.book = book
        self.anchors = anchors
        self.pictures = pictures
        self.structure = StructureBinder(book)
        self.outline = OutlineBinder(book)
        self.fonts = FontBinder(book)
        self.profiles: dict[bytes, Object] = {}
        self.pages: dict[str, list[Object]] = {}
        self.links: list[tuple[Object, str]] = []

    def add(self, number: int, part: Part) -> Iterator[BoundPage]:
        """Append one part. What is copied lies in memory: that is why pictures and fonts go another way."""
        with pikepdf.open(part.pdf) as source:
            links, is_cut = _detached_links(source, self.anchors)
            self.pictures.detach(number, source)
            fonts = [self.fonts.detach(resources) for resources in resources_of(source.pages)]
            self.book.pages.extend(source.pages)
            added = self.book.pages[-len(source.pages) :]
            pages: list[Object] = [page.obj for page in added]
            self.structure.add(source, pages, title=part.title, is_cut=is_cut)
            if part.above:
                self.outline.open(pages[0], title=part.above, depth=part.depth - 1)
            self.outline.add(source, pages[0], title=part.title, depth=part.depth)
        self.pictures.attach(number, self.book, added)
        for resources, unions in zip(resources_of(added), fonts, strict=True):
            self.fonts.attach(resources, unions)
            self._share_profiles(resources)
        self.pages[part.anchor] = pages
        self._attach(links, pages)
        for place, page in enumerate(pages):
            width, height = float(page.MediaBox[2]), float(page.MediaBox[3])
            yield BoundPage(part=number, page=place, width=width, height=height)

    def close(self, titles: dict[str, str]) -> None:
        """Lead the links between parts, and write what all parts have in common."""
        for annotation, anchor in self.links:
            name, _, page = anchor.partition("+")
            annotation.Dest = top_of(self.pages[name][int(page or 0)])
            annotation.Contents = String(titles[name])
        self.fonts.unite()
        self.outline.close()

    def _attach(self, links: list[_Link], pages: list[Object]) -> None:
        for link in links:
            annotation = pages[link.page].Annots[link.place]
            if link.anchor is not None:
                self.links.append((annotation, link.anchor))
            elif link.within is not None:
                page, view = link.within
                annotation.Dest = Array([pages[page], *view])

    def _share_profiles(self, resources: Object) -> None:
        """Let a part use the colour profiles that earlier parts brought along already."""
        for space in (value for _, value in resources.get("/ColorSpace", Dictionary()).items()):
            if isinstance(space, Array) and space[0] == Name.ICCBased:
                digest = hashlib.sha256(space[1].read_raw_bytes()).digest()
                space[1] = self.profiles.setdefault(digest, space[1])


def _detached_links(source: Pdf, anchors: set[str]) -> tuple[list[_Link], bool]:
    """Return the links of a part and take their destinations away, for pages of a book cannot be named by name.

    Tells, too, whether some were taken out that lead nowhere.
    """
    places = _named_places(source)
    links: list[_Link] = []
    is_cut = False
    for number, page in enumerate(source.pages):
        found = page.obj.get("/Annots", Array()).as_list()
        kept = [annotation for annotation in found if not _leads_nowhere(source, annotation, anchors)]
        is_cut |= len(kept) < len(found)
        if kept:
            page.obj.Annots = Array(kept)
        elif "/Annots" in page.obj:
            del page.obj.Annots
        links += [link for place, annotation in enumerate(kept) for link in _links(annotation, number, place, places)]
    return links, is_cut


def _leads_nowhere(source: Pdf, annotation: Object, anchors: set[str]) -> bool:
    """Tell whether a link leads to a part that the book does not have; take it out of the structure then."""
    anchor = _anchor(annotation)
    if anchor is None or anchor.partition("+")[0] in anchors:
        return False
    take_out(source, annotation)
    return True


def _anchor(annotation: Object) -> str | None:
    address = str(annotation.get("/A", Dictionary()).get("/URI", ""))
    return address.removeprefix(ADDRESS) if address.startswith(ADDRESS) else None


def _links(annotation: Object, page: int, place: int, places: dict[str, tuple[int, list[Any]]]) -> Iterator[_Link]:
    anchor = _anchor(annotation)
    if anchor is not None:
        del annotation.A
        yield _Link(page, place, anchor=anchor)
    elif isinstance(annotation.get("/Dest"), String):
        yield _Link(page, place, within=places[str(annotation.Dest)])
        del annotation.Dest


def _named_places(source: Pdf) -> dict[str, tuple[int, list[Any]]]:
    """Return page (from 0) and view of each destination that has a name; WeasyPrint writes them as one flat list."""
    numbers = {page.obj.objgen: number for number, page in enumerate(source.pages)}
    names = source.Root.get("/Names", Dictionary()).get("/Dests", Dictionary()).get("/Names", Array()).as_list()
    return {
        str(name): (numbers[place[0].objgen], list(place.as_list()[1:]))
        for name, place in zip(names[::2], names[1::2], strict=True)
    }


def _describe(book: Pdf, *, title: str, language: str, created: datetime, identifier: str) -> None:
    """Write what a reader and an archive want to know of the book, for both in the same words."""
    producer = f"pikepdf {pikepdf.__version__}"
    facts = {"title": title, "identifier": identifier, "language": language, "producer": producer}
    moment = created.replace(microsecond=0).isoformat()
    xmp = _XMP.format(**{name: escape(fact) for name, fact in facts.items()}, moment=moment)
    book.Root.Metadata = Stream(book, xmp.encode(), Type=Name.Metadata, Subtype=Name.XML)
    book.Root.Lang = String(language)
    book.Root.MarkInfo = Dictionary(Marked=True)
    book.Root.OutputIntents = Array([_colours(book)])
    book.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    book.docinfo.Title = String(title)
    book.docinfo.Producer = String(producer)
    book.docinfo.CreationDate = book.docinfo.ModDate = pdf_date(created)


def _colours(book: Pdf) -> Dictionary:
    """Return what colours are meant: sRGB, by the typesetter's profile, read without loading the typesetter."""
    package = find_spec("weasyprint")
    assert package is not None and package.origin is not None  # noqa: S101, PT018 -- it is a requirement
    profile = (Path(package.origin).parent / "pdf" / "sRGB2014.icc").read_bytes()
    return Dictionary(
        Type=Name.OutputIntent,
        S=Name.GTS_PDFA1,
        OutputConditionIdentifier=String("sRGB2014.icc"),
        Info=String("sRGB2014.icc"),
        DestOutputProfile=Stream(book, zlib.compress(profile), Filter=Name.FlateDecode, N=3),
    )


def pdf_date(moment: datetime) -> String:
    """Return an aware moment as PDF writes it: `D:20261120173005+08'00'`."""
    offset = moment.strftime("%z")
    return String(f"{moment:D:%Y%m%d%H%M%S}{offset[:3]}'{offset[3:5]}'")
