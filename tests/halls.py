"""Photographs of meetings, drawn: halls with people in them, seen from several places, and what becomes of a picture
when somebody saves it again. The same numbers give the same picture.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from io import BytesIO

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

_WIDE, _HIGH = 1600, 1200
_SHOWN = (640, 480)

Colour = tuple[int, int, int]


def _tone(rng: random.Random, low: int, high: int) -> Colour:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def _room(rng: random.Random) -> Image.Image:
    """An empty hall: a wall with a banner, a screen and windows, a floor, a stage."""
    room = Image.new("RGB", (_WIDE, _HIGH), _tone(rng, 150, 235))
    draw = ImageDraw.Draw(room)
    horizon = rng.randint(480, 640)
    draw.rectangle((0, horizon, _WIDE, _HIGH), fill=_tone(rng, 70, 160))
    left, top = rng.randint(100, 600), rng.randint(30, 110)
    draw.rectangle((left, top, left + rng.randint(500, 900), top + rng.randint(60, 110)), fill=(180, 30, 35))
    left, top = rng.randint(100, 1000), rng.randint(180, 260)
    draw.rectangle((left, top, left + rng.randint(260, 480), top + rng.randint(150, 240)), fill=_tone(rng, 20, 250))
    for number in range(rng.randint(1, 4)):
        place = (60 + number * 380 + rng.randint(0, 120), 150)
        draw.rectangle((*place, place[0] + rng.randint(90, 160), horizon - 60), fill=(235, 243, 250))
    draw.rectangle((rng.randint(0, 300), horizon - 40, rng.randint(900, 1600), horizon + 40), fill=_tone(rng, 40, 120))
    return room


def photo(hall: int, shot: int, *, still: bool = False) -> Image.Image:
    """One photograph: the hall, other people in other seats, from another place in it; `still`: from the same place."""
    rng = random.Random(hall * 1_000 + shot)
    room = _room(random.Random(hall))
    draw = ImageDraw.Draw(room)
    for row in range(4):
        for seat in range(rng.randint(3, 9)):
            size = 34 + 16 * row
            x, y = rng.randint(0, _WIDE), 620 + row * 150 + rng.randint(-20, 20)
            draw.rectangle((x - size, y + size // 2, x + size, y + 3 * size), fill=_tone(rng, 10, 120 + 10 * seat))
            draw.ellipse((x - size // 2, y - size // 2, x + size // 2, y + size // 2), fill=_tone(rng, 30, 200))
    stand = random.Random(hall) if still else rng
    zoom = stand.uniform(0.6, 0.9)
    width, height = int(_WIDE * zoom), int(_HIGH * zoom)
    x, y = stand.randint(0, _WIDE - width), stand.randint(0, _HIGH - height)
    seen = room.crop((x, y, x + width, y + height)).resize(_SHOWN, Image.Resampling.LANCZOS)
    return ImageEnhance.Brightness(seen.filter(ImageFilter.GaussianBlur(0.8))).enhance(rng.uniform(0.85, 1.15))


def _cropped(picture: Image.Image, share: float) -> Image.Image:
    x, y = int(picture.width * share), int(picture.height * share)
    return picture.crop((x, y, picture.width - x // 2, picture.height - y // 2))


# What people do to a picture before they hand it in again.
CHANGES: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "saved again": lambda picture: picture,
    "made small": lambda picture: picture.resize((picture.width // 3, picture.height // 3)),
    "made large": lambda picture: picture.resize((picture.width * 2, picture.height * 2)),
    "made brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "more contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(1.25),
    "made grey": lambda picture: picture.convert("L"),
    "cropped a little": lambda picture: _cropped(picture, 0.02),
    "small, brighter and cropped": lambda picture: ImageEnhance.Brightness(
        _cropped(picture.resize((picture.width // 2, picture.height // 2)), 0.01)
    ).enhance(1.1),
}


def jpeg(picture: Image.Image, *, quality: int = 85) -> bytes:
    """The picture as a file."""
    target = BytesIO()
    picture.convert("RGB").save(target, "JPEG", quality=quality)
    return target.getvalue()
