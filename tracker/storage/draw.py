"""Draws what a preview shows, in a process of its own: `python -m tracker.storage.draw PATH KIND NUMBER TARGET SMALL`.

Writes two JPEG pictures without any metadata: at most 1600 pixels a side to TARGET, at most 320 to SMALL. Prints the
size of the larger one and the number of pages as JSON. Nothing of the original's bytes gets into them.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image, ImageCms, ImageOps

from tracker.domain.media import KINDS, Limits, Preview
from tracker.storage.child import answer
from tracker.storage.images import decode, opened
from tracker.storage.refusal import Refused, Why

LARGE = 1600
SMALL = 320
_WHITE = (255, 255, 255)
_SRGB = ImageCms.createProfile("sRGB")
_PROFILED = {
    "RGB": "RGB",
    "RGBA": "RGBA",
    "CMYK": "RGB",
}  # modes whose colours a profile describes, and what they become
_DEEP = frozenset({"I", "F", "I;16", "I;16B", "I;16L"})


def draw(path: Path, code: str, number: int, target: Path, small: Path) -> dict[str, Any]:
    """Write both pictures of page `number` (from 1; a picture has only page 1) and return what was drawn."""
    if KINDS[code].preview is Preview.PAGES:
        image, pages = _page(path, number)
    elif KINDS[code].preview is Preview.IMAGE and number == 1:
        image, pages = photo(path, code), 1
    else:
        raise Refused(Why.NO_PAGES)
    save(image, target)
    size = image.size
    image.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
    save(image, small)
    return {"width": size[0], "height": size[1], "pages": pages}


def save(image: Image.Image, target: Path, *, quality: int = 85) -> None:
    """Write the bare pixels, RGB or grey: a new picture, so that no profile, comment or EXIF comes along."""
    bare = Image.new(image.mode, image.size)
    bare.paste(image)
    bare.save(target, "JPEG", quality=quality, optimize=True)


def photo(path: Path, code: str) -> Image.Image:
    """Return the picture upright, in sRGB, on white where it is transparent; Refused if it cannot be read."""
    with opened(path, code, Limits()) as image:
        shrunk = min(1, LARGE / max(image.size))
        decode(image, *(round(side * shrunk) for side in image.size))
        image.thumbnail((2 * LARGE, 2 * LARGE), Image.Resampling.BOX)
        upright = ImageOps.exif_transpose(image)
        return _at_most_large(_on_white(_in_srgb(upright)))


def _at_most_large(image: Image.Image) -> Image.Image:
    image.thumbnail((LARGE, LARGE), Image.Resampling.LANCZOS)
    return image


def _in_srgb(image: Image.Image) -> Image.Image:
    """Turn the colours of a wide-gamut photo or of print into those that screens expect; a bad profile is ignored."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in _PROFILED:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode=_PROFILED[image.mode])
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP:
        low, high = image.convert("F").getextrema()
        scale = 255 / (float(high) - float(low) or 1)  # type: ignore[arg-type]
        return image.convert("F").point(lambda v: (v - low) * scale).convert("RGB")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    layer = image.convert("RGBA")
    paper = Image.new("RGB", layer.size, _WHITE)
    paper.paste(layer, mask=layer.getchannel("A"))
    return paper


def _page(path: Path, number: int) -> tuple[Image.Image, int]:
    try:
        with pypdfium2.PdfDocument(path) as document:
            pages = len(document)
            if not 1 <= number <= pages:
                raise Refused(Why.NO_PAGES)
            page = document[number - 1]
            width, height = page.get_size()
            bitmap = page.render(scale=LARGE / max(width, height, 1), fill_color=(*_WHITE, 255))
            return _at_most_large(bitmap.to_pil().convert("RGB")), pages
    except pypdfium2.PdfiumError as error:
        raise Refused(Why.DAMAGED) from error


def main(arguments: list[str]) -> None:
    """Draw what the command line asks for."""
    path, code, number, target, small = arguments
    answer(lambda: draw(Path(path), code, int(number), Path(target), Path(small)))


if __name__ == "__main__":
    main(sys.argv[1:])
