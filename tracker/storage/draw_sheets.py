"""Draws the pages of one stored file after the other, in a process of its own: `python -m tracker.storage.draw_sheets`.

Says `{"ready": true}`, then reads a job a line, `{"path": …, "kind": code, "folder": …}`, writes its pages into the
folder as JPEG pictures without metadata, and answers with `{"pages": n}`, `{"width": w, "height": h}` for each page
drawn, and `{"why": word}` at the end. Nothing in a document is run, followed or fetched.
"""

from __future__ import annotations

import json
import logging
import math
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pypdfium2
from PIL import Image, ImageChops
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY
from pypdfium2.version import PDFIUM_INFO

from tracker.domain.media import KINDS, Limits, Preview
from tracker.storage.child import disk_failed, limit
from tracker.storage.draw import photo, save
from tracker.storage.packages import pdf_facts
from tracker.storage.refusal import Refused, Why
from tracker.storage.sheets import MAX_BYTES, MAX_PAGES, NO_MEMORY, sheet_path

_DOTS_PER_POINT = 150 / 72
_LONGEST = 2000  # pixels of a page's longer side, however large the paper
_PHOTO_QUALITY, _PAGE_QUALITY = 85, 80
_ANY_NUMBER = Limits(pages=sys.maxsize)
_TINT = 2  # levels between the colours of a pixel that is still grey

_CPU_PAGE = 10  # seconds
_CPU_FILE = 100
_CPU_LIFE = 3600  # then a new child goes on

_LOCKED = frozenset({FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY})
_WORDS = {Why.PIXELS: "too_large", Why.PASSWORD: "encrypted"}


def draw_file(path: Path, code: str, folder: Path) -> str:
    """Draw the pages of a file and return why they are not all there: a word of the packet's table, or nothing.

    Raises MemoryError and RecursionError for a file that wants too much, OSError when the disk is at fault.
    """
    started = time.process_time()
    written = 0
    _grant(started)
    try:
        for number, (image, quality) in enumerate(_pages(path, code), start=1):
            if number > MAX_PAGES or written > MAX_BYTES:
                return "too_many_pages"
            target = sheet_path(folder, number)
            save(_grey_if_grey(image), target, quality=quality)
            written += target.stat().st_size
            _say(width=image.width, height=image.height)
            _grant(started)
    except Refused as refusal:
        return _WORDS.get(refusal.why, "damaged")
    return ""


def _grant(started: float) -> None:
    """Let the next page have its share of processor time, within that of the file; the kernel ends who takes more."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = min(time.process_time() + _CPU_PAGE, started + _CPU_FILE, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(until), hard))


def _pages(path: Path, code: str) -> Iterator[tuple[Image.Image, int]]:
    """Every page with the quality to save it in."""
    if KINDS[code].preview is Preview.PAGES:
        return ((page, _PAGE_QUALITY) for page in _printed(path))
    return ((picture, _PHOTO_QUALITY) for picture in _picture(path, code))


def _picture(path: Path, code: str) -> Iterator[Image.Image]:
    _say(pages=1)
    yield photo(path, code)


def _printed(path: Path) -> Iterator[Image.Image]:
    """Each page as a printer would put it on white paper, with its annotations and the fields of its form."""
    try:
        with pypdfium2.PdfDocument(path) as document:
            document.init_forms()
            if pdf_facts(path, _ANY_NUMBER)["pages"] != len(document):  # a repair that lost some would go unnoticed
                raise Refused(Why.DAMAGED)
            _say(pages=len(document))
            for page in document:
                yield _raster(page)
                page.close()
    except pypdfium2.PdfiumError as error:
        raise Refused(Why.PASSWORD if error.err_code in _LOCKED else Why.DAMAGED) from error


def _raster(page: pypdfium2.PdfPage) -> Image.Image:
    longer = max(page.get_size())
    if not longer > 0:
        raise Refused(Why.DAMAGED)
    scale = min(_DOTS_PER_POINT, _LONGEST / longer)
    picture: Image.Image = page.render(scale=scale, optimize_mode="print").to_pil()
    return picture


def _grey_if_grey(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    apart = ImageChops.lighter(ImageChops.difference(red, green), ImageChops.difference(green, blue))
    return image if apart.point(lambda levels: levels > _TINT).getbbox() else green


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def main(_: list[str]) -> None:
    """Draw file after file until no more are asked for."""
    if "V8" in PDFIUM_INFO.flags:
        sys.exit("PDFium must be one without JavaScript")
    limit(cpu_seconds=_CPU_LIFE)
    logging.disable()  # what a parser thinks of a hostile file is no news
    _say(ready=True)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            why = draw_file(Path(job["path"]), job["kind"], Path(job["folder"]))
        except (MemoryError, RecursionError):
            sys.exit(NO_MEMORY)  # what is left of the memory is in pieces
        except OSError as error:  # what is wrong with a file is a refusal by now
            sys.exit(disk_failed(error))
        _say(why=why)


if __name__ == "__main__":
    main(sys.argv[1:])
