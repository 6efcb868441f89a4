"""Opens pictures of unknown origin, for checking and for previews. Runs in a child process."""

from __future__ import annotations

import struct
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, ImageFile, UnidentifiedImageError

from tracker.domain.media import Limits
from tracker.storage.location import cut_location
from tracker.storage.refusal import Refused, Why

_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP", "heic": "HEIF"}
_HARMLESS = ("Image appears to be a malformed MPO", "Corrupt EXIF data", "Palette images with Transparency")
_BROKEN = (UnidentifiedImageError, OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError)
_TEN_THOUSAND = 10_000


def image_facts(path: Path, code: str, limits: Limits) -> dict[str, Any]:
    """Cut the place out of the picture in place, decode it, and return what it says.

    Returns width and height (pixels), `location_removed`, and `taken_on` (ISO day) if the camera wrote it. Refuses too
    many pixels before decoding, a broken or truncated picture, and what is also a zip.
    """
    if zipfile.is_zipfile(path):
        raise Refused(Why.HIDDEN)
    width, height = _size(path, code, limits)
    try:
        cleaned = cut_location(path, code)
    except ValueError:
        raise Refused(Why.LOCATION) from None
    with opened(path, code, limits) as image:
        decode(image, width // 8, height // 8)
    facts = {"width": width, "height": height, "location_removed": cleaned.location_removed}
    return facts | ({"taken_on": cleaned.taken_on.isoformat()} if cleaned.taken_on else {})


def _size(path: Path, code: str, limits: Limits) -> tuple[int, int]:
    """Width and height as announced. A function, so that a decoder's memory is free again before the next one."""
    with opened(path, code, limits) as image:
        return image.size


@contextmanager
def opened(path: Path, code: str, limits: Limits) -> Iterator[Image.Image]:
    """Open a picture of that kind and no other, without decoding it; every failure inside the block is a refusal."""
    pillow_heif.register_heif_opener(thumbnails=False)
    Image.MAX_IMAGE_PIXELS = None  # our own limit comes first, with its own sentence
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # half a picture is none, whatever another library of the process set
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for message in _HARMLESS:
            warnings.filterwarnings("ignore", message)
        try:
            with Image.open(path, formats=(_FORMATS[code],)) as image:
                _check_size(image, limits)
                yield image
        except (*_BROKEN, struct.error, Image.DecompressionBombError, Warning) as error:
            raise Refused(Why.DAMAGED) from error


def decode(image: Image.Image, width: int, height: int) -> None:
    """Decode the whole picture; a JPEG at an eighth of its size, which reads every byte of it but keeps less."""
    image.draft(image.mode if image.mode in {"L", "RGB"} else None, (max(1, width), max(1, height)))
    image.load()


def _check_size(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.pixels:
        raise Refused(Why.PIXELS, width=width, height=height, most=limits.pixels // _TEN_THOUSAND)
