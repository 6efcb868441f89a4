"""Lays out HTML as PDF/A with WeasyPrint: nothing fetched, no warning ignored, no clock read."""

from __future__ import annotations

import io
import logging
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pydyf
from cssselect2 import ElementWrapper
from weasyprint import CSS, HTML
from weasyprint.css import ColorProfile
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher

from tracker.reporting.compose import Composition
from tracker.reporting.progress import Progress, RenderingFailed, no_progress

PDF_VARIANT = "pdf/a-3a"
COLOURS = "document-srgb"
_VARIANT = {"output_intent": COLOURS, "pdf_variant": PDF_VARIANT}
_BEST, _ORDINARY, _QUICK = 9, 6, 1  # levels of compression

# Share of the work that is behind when a step of WeasyPrint begins (measured on reports of 10 to 60 pages). How many
# pages the layout will make, and how often, is known only at its end: it nears the next step and never reaches it.
_PERCENT = {1: 2, 2: 4, 3: 6, 4: 15, 5: 20, 6: 70, 7: 95}
_LAYOUT, _HALFWAY = 5, 60
_PLAIN = {"Type", "S", "K", "Pg", "P"}
_NAME = 16  # characters that tell the names in one part from those in another
_STEP = re.compile(r"Step (\d)(?:.*Page (\d+))?")


def locked_fetcher() -> URLFetcher:
    """Return a fetcher that refuses every address, of any scheme, and stops the rendering."""
    return URLFetcher(allowed_protocols=frozenset(), allow_redirects=False, fail_on_errors=True)


def _colours() -> ColorProfile:
    """Return WeasyPrint's sRGB profile, read here because WeasyPrint leaves the file open."""
    content = (files("weasyprint.pdf") / "sRGB2014.icc").read_bytes()
    return ColorProfile(io.BytesIO(content), "sRGB2014.icc", "relative-colorimetric", (["r"], ["g"], ["b"]))


@dataclass(frozen=True, slots=True)
class Typeset:
    """A document laid out: its PDF and how many pages it has."""

    pdf: bytes
    pages: int


class Typesetter:
    """WeasyPrint made ready for one set of fonts: the fonts and the parsed style sheets serve many documents.

    `config_file` is the fontconfig file of the font set. It is put into the environment of this process, so make one
    in a process that does nothing else.
    """

    def __init__(self, config_file: Path) -> None:
        os.environ["FONTCONFIG_FILE"] = str(config_file)
        self._fonts = FontConfiguration()
        self._fetcher = locked_fetcher()
        self._styles: dict[str, CSS] = {}

    def typeset(self, composition: Composition, *, progress: Progress = no_progress) -> Typeset:
        """Lay `composition` out as a tagged PDF/A; the same composition gives the same bytes, whatever came before.

        Raises RenderingFailed on any warning of WeasyPrint or fontTools.
        """
        with _watched(progress) as complaints:
            style = self._styles.get(composition.css) or self._parsed(composition.css)
            try:
                made = self._lay_out(composition, style)
            except FatalURLFetchingError as refused:
                raise RenderingFailed(f"a document may not fetch anything: {refused}") from refused
        if complaints:
            raise RenderingFailed("; ".join(complaints))
        self._styles[composition.css] = style
        return made

    def _parsed(self, css: str) -> CSS:
        return CSS(string=css, url_fetcher=self._fetcher, font_config=self._fonts)

    def _lay_out(self, composition: Composition, style: CSS) -> Typeset:
        if composition.is_part:
            html = _well_formed(composition.html, self._fetcher)
        else:
            html = HTML(string=composition.html, url_fetcher=self._fetcher)
        document = html.render(
            stylesheets=[style], font_config=self._fonts, color_profiles={COLOURS: _colours()}, **_VARIANT
        )
        if composition.is_part:
            finisher = partial(_finished_part, composition.identifier[:_NAME])
            pdf = document.write_pdf(finisher=finisher, pdf_identifier=False, uncompressed_pdf=True, **_VARIANT)
        else:
            pdf = document.write_pdf(finisher=_packed, pdf_identifier=composition.identifier, **_VARIANT)
        return Typeset(pdf, len(document.pages))


def _well_formed(text: str, fetcher: URLFetcher) -> HTML:
    """Return HTML that is well-formed XML, read by the parser of XML: it takes a tenth of the time."""
    html = HTML.__new__(HTML)
    html.base_url, html.url_fetcher, html.media_type = None, fetcher, "print"
    tree = fromstring(text)  # noqa: S314  composed by us: every value in it is escaped
    html.wrapper_element = ElementWrapper.from_html_root(tree, content_language=None)
    html.etree_element = html.wrapper_element.etree_element
    return html


def _packed(_document: object, pdf: pydyf.PDF) -> None:
    """Compress the streams of a document: here once, for its writer would do it twice to digest them."""
    for stream in pdf.objects:
        if isinstance(stream, pydyf.Stream) and stream.compress:
            _pack(stream, _BEST)


def _finished_part(name: bytes, _document: object, pdf: pydyf.PDF) -> None:
    """Make a part ready to be bound: little structure, names that no other part has, streams compressed.

    Fonts are hardly compressed, for the binding unites them with those of the other parts.
    """
    _slim(pdf)
    _make_names_unique(pdf, name)
    for stream in pdf.objects:
        if isinstance(stream, pydyf.Stream) and stream.extra.get("Type") != "/Metadata":
            _pack(stream, _QUICK if "Length1" in stream.extra else _ORDINARY)


def _slim(pdf: pydyf.PDF) -> None:
    """Hang the pieces of text into the elements that they are in: every one has a `Span` that says nothing.

    The spans stay in the file, but nothing leads to them, and so no book has them.
    """
    elements = {each.reference: each for each in pdf.objects if _is_element(each)}
    spans = {reference: each for reference, each in elements.items() if _says_nothing(each, elements)}
    for element in elements.values():
        element["K"][:] = [spans[kid]["K"][0] if kid in spans else kid for kid in element["K"]]
    for element in pdf.objects:
        if isinstance(element, pydyf.Dictionary) and "Nums" in element:
            for found in element["Nums"][1::2]:
                if isinstance(found, list):
                    found[:] = [spans[each]["P"] if each in spans else each for each in found]


def _is_element(thing: pydyf.Object) -> bool:
    return isinstance(thing, pydyf.Dictionary) and thing.get("Type") == "/StructElem"


def _says_nothing(element: pydyf.Dictionary, elements: dict[bytes, pydyf.Dictionary]) -> bool:
    """Tell whether an element is a span of one piece of text on the page of the element above, and nothing more."""
    if element["S"] != "/Span" or element.keys() != _PLAIN or len(element["K"]) != 1:
        return False
    above = elements.get(element["P"], {})
    return isinstance(element["K"][0], int) and above.get("Pg") == element["Pg"]


def _make_names_unique(pdf: pydyf.PDF, prefix: bytes) -> None:
    """Put `prefix` before the names by which the cells of tables refer to their heads; say so in the catalogue."""
    for element in filter(_is_element, pdf.objects):
        if "ID" in element:
            element["ID"].string = f"{prefix.decode()}-{element['ID'].string}"  # the cells name it by the same object
    pdf.catalog["TrkNamed"] = "true"


def _pack(stream: pydyf.Stream, level: int) -> None:
    extra, stream.extra, stream.compress = stream.extra, {}, False
    _, _, rest = stream.data.partition(b"stream\n")
    stream.stream = [zlib.compress(rest.removesuffix(b"\nendstream"), level)]
    stream.extra = extra | {"Filter": "/FlateDecode"}


def typeset(composition: Composition, *, config_file: Path, progress: Progress = no_progress) -> bytes:
    """Return `composition` as a PDF, laid out by a `Typesetter` of its own."""
    return Typesetter(config_file).typeset(composition, progress=progress).pdf


class _Watcher(logging.Handler):
    """Keeps every warning, and turns WeasyPrint's steps into progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self.progress = progress
        self.complaints: list[str] = []
        self.percent = self.laid_out = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record of the typesetter's loggers."""
        if record.levelno >= logging.WARNING:
            self.complaints.append(record.getMessage())
        elif found := _STEP.match(record.getMessage()):
            self.advance(int(found[1]), int(found[2] or 0))

    def advance(self, step: int, page: int) -> None:
        """Report a step and the page it is at; the share of the work never goes back."""
        self.laid_out += step == _LAYOUT
        room = _PERCENT[6] - _PERCENT[_LAYOUT] if step == _LAYOUT else 0
        share = _PERCENT[step] + room * self.laid_out // (self.laid_out + _HALFWAY)
        self.percent = max(self.percent, share)
        self.progress(self.percent, page)


@contextmanager
def _watched(progress: Progress) -> Iterator[list[str]]:
    """Listen to the loggers of WeasyPrint and fontTools during the block; yield the list of their warnings."""
    watcher = _Watcher(progress)
    loggers = [logging.getLogger("weasyprint"), logging.getLogger("fontTools")]
    steps = logging.getLogger("weasyprint.progress")
    levels = {logger: logger.level for logger in [*loggers, steps]}
    for logger in loggers:
        logger.addHandler(watcher)
        logger.setLevel(logging.WARNING)
    steps.setLevel(logging.INFO)
    try:
        yield watcher.complaints
    finally:
        for logger in loggers:
            logger.removeHandler(watcher)
        for logger, level in levels.items():
            logger.setLevel(level)
