"""The hatchings of printed bars, as paths of SVG, line by line: a pattern takes several times as long to draw."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor

STEP = 5  # points between two lines, or two dots


def hatching(kind: str, left: float, right: float, top: float, bottom: float) -> str:
    """Return what fills a box: strokes for `partly` (rising) and `missing` (crossed), dots for `not_applicable`."""
    box = (left, right, top, bottom)
    match kind:
        case "partly":
            return "".join(_rising(*box))
        case "missing":
            return "".join([*_rising(*box), *_falling(*box)])
        case _:
            return "".join(_dots(*box))


def _rising(left: float, right: float, top: float, bottom: float) -> Iterator[str]:
    """Strokes from lower left to upper right: on each, x + y is a multiple of the step."""
    for total in _multiples(left + top, right + bottom):
        start, end = max(left, total - bottom), min(right, total - top)
        yield f"M{start:.2f} {total - start:.2f}L{end:.2f} {total - end:.2f}"


def _falling(left: float, right: float, top: float, bottom: float) -> Iterator[str]:
    """Strokes from upper left to lower right: on each, x - y is a multiple of the step."""
    for gap in _multiples(left - bottom, right - top):
        start, end = max(left, gap + top), min(right, gap + bottom)
        yield f"M{start:.2f} {start - gap:.2f}L{end:.2f} {end - gap:.2f}"


def _dots(left: float, right: float, top: float, bottom: float) -> Iterator[str]:
    """Strokes of one point, which are square dots at a width of one."""
    for x in _multiples(left - 1.5, right - 2.5):
        for y in _multiples(top - 2, bottom - 2):
            yield f"M{x + 1.5:.1f} {y + 2:.1f}h1"


def _multiples(first: float, last: float) -> Iterator[int]:
    return iter(range(ceil(first / STEP) * STEP, floor(last / STEP) * STEP + 1, STEP))
