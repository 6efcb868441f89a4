"""Works out of one file what hints compare, in a process of its own: `python -m tracker.storage.traits PATH KIND`.

Prints `{"facts": {"picture": …, "characters": …}}`. `picture` is a perceptual hash, 16 hexadecimal figures: which
of the slowest waves of the grey picture are strong; that stays when it is resized, saved again or made brighter.
`characters` is how many characters that are no blanks a document holds. None where there is nothing to tell: a picture
without contrast, a document that holds pictures instead of text.
"""

from __future__ import annotations

import codecs
import math
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from statistics import median, pstdev
from typing import Any
from xml.etree.ElementTree import ParseError

import pypdfium2
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import Image

from tracker.domain.media import KINDS, Family
from tracker.storage.child import answer
from tracker.storage.draw import photo
from tracker.storage.refusal import Refused, Why

_SIDE = 32
_WAVES = 8
_FLAT = 4.0  # standard deviation of the grey values below which there is nothing to compare
_MOST_PAGES = 20
_MOST_XML = 16 * 1024**2
_ENOUGH = 1_000  # characters; nobody asks how many more
_CHUNK = 256 * 1024
_PARTS = {
    "docx": re.compile(r"word/(document|header\d*|footer\d*|footnotes)\.xml"),
    "xlsx": re.compile(r"xl/(sharedStrings|worksheets/[^/]+)\.xml"),
    "pptx": re.compile(r"ppt/slides/[^/]+\.xml"),
    "ofd": re.compile(r".*/Content\.xml"),
}
_TEXTS = {"docx": {"t"}, "xlsx": {"t", "v"}, "pptx": {"t"}, "ofd": {"TextCode"}}
_PICTURE = re.compile(r".*\.(png|jpe?g|gif|bmp|emf|wmf|tiff?|jb2|jp2|webp)", re.IGNORECASE)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, KeyError, ParseError)


def traits_of(path: Path, code: str) -> dict[str, Any]:
    """Return the traits of a file of that kind; Refused if it cannot be read."""
    family = KINDS[code].family
    if family is Family.IMAGE:
        return {"picture": picture_hash(photo(path, code)), "characters": None}
    if family is Family.TEXT:
        return {"picture": None, "characters": _in_text(path)}
    return {"picture": None, "characters": _in_pdf(path) if family is Family.PDF else _in_package(path, code)}


def picture_hash(image: Image.Image) -> str | None:
    """Return the hash of a picture, or None for one without contrast."""
    grey = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    values = list(grey.tobytes())
    if pstdev(values) < _FLAT:
        return None
    rows = [_slow_waves(values[start : start + _SIDE]) for start in range(0, _SIDE * _SIDE, _SIDE)]
    columns = [_slow_waves([row[number] for row in rows]) for number in range(_WAVES)]
    waves = [wave for column in columns for wave in column]
    middle = median(waves[1:])  # the first is the brightness, which does not count
    bits = "".join("1" if wave > middle else "0" for wave in waves)
    return f"{int(bits, 2):016x}"


_COSINES = [
    [math.cos(math.pi * number * (2 * place + 1) / (2 * _SIDE)) for place in range(_SIDE)] for number in range(_WAVES)
]


def _slow_waves(values: list[int] | list[float]) -> list[float]:
    """The first coefficients of the cosine transform of a row."""
    return [sum(value * part for value, part in zip(values, cosines, strict=True)) for cosines in _COSINES]


def _count(texts: Iterator[str]) -> int:
    """How many characters that are no blanks, as far as anybody asks."""
    found = 0
    for text in texts:
        found += sum(not character.isspace() for character in text)
        if found >= _ENOUGH:
            return _ENOUGH
    return found


def _in_text(path: Path) -> int:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return _count(_chunks(path, encoding))
        except UnicodeDecodeError:
            continue
    raise Refused(Why.ENCODING)


def _chunks(path: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield decoder.decode(chunk)
        yield decoder.decode(b"", final=True)


def _in_pdf(path: Path) -> int | None:
    """The characters of the first pages; None where a page without text shows something else, as a scan does."""
    try:
        with pypdfium2.PdfDocument(path) as document:
            pages = [document[number] for number in range(min(len(document), _MOST_PAGES))]
            found = _count(page.get_textpage().get_text_bounded() for page in pages)
            drawn = any(next(iter(page.get_objects(max_depth=1)), None) is not None for page in pages)
    except pypdfium2.PdfiumError as error:
        raise Refused(Why.DAMAGED) from error
    return None if found == 0 and drawn else found


def _in_package(path: Path, code: str) -> int | None:
    """The characters of the parts that hold text; None where there are pictures and hardly any text."""
    try:
        with zipfile.ZipFile(path) as package:
            found = _count(_texts(package, code))
            pictures = any(_PICTURE.fullmatch(name) for name in package.namelist())
    except (*_BROKEN, DefusedXmlException):
        raise Refused(Why.DAMAGED) from None
    return None if pictures and found < _ENOUGH else found


def _texts(package: zipfile.ZipFile, code: str) -> Iterator[str]:
    for name in package.namelist():
        if not _PARTS[code].fullmatch(name):
            continue
        with package.open(name) as part:
            content = part.read(_MOST_XML + 1)
        if len(content) > _MOST_XML:
            yield "…" * _ENOUGH  # larger than a document of one line by far
            return
        for element in fromstring(content, forbid_dtd=True).iter():
            if element.text and element.tag.rpartition("}")[2] in _TEXTS[code]:
                yield element.text


def main(arguments: list[str]) -> None:
    """Work out the traits of the file that the command line names."""
    path, code = arguments
    answer(lambda: traits_of(Path(path), code))


if __name__ == "__main__":
    main(sys.argv[1:])
