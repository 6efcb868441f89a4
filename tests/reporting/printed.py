"""Reads a PDF back with poppler: words with their places, lines, fonts, facts."""

from __future__ import annotations

import html
import re
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MM = 72 / 25.4
_BOX = r'xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)"'


@dataclass(frozen=True)
class Box:
    """Some text and where it stands, in points from the upper left corner of its page."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True)
class Page:
    """One page: number from 1, width and height in points, its words and its lines."""

    number: int
    width: float
    height: float
    words: tuple[Box, ...]
    lines: tuple[Box, ...]

    @property
    def is_wide(self) -> bool:
        return self.width > self.height

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    @property
    def body(self) -> list[Box]:
        """The words between the running head and the page number."""
        top, bottom, left = (28, 26, 35) if self.is_wide else (37, 35, 28)
        return [
            word
            for word in self.words
            if word.top > top * MM - 4 and word.top < self.height - bottom * MM and word.right > left * MM
        ]


class Printed:
    """A PDF on disk, read with the tools that a reader would use."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout

    @cached_property
    def pages(self) -> list[Page]:
        out = self._run("pdftotext", "-bbox-layout", str(self.path), "-")
        found = re.findall(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', out, re.S)
        return [
            Page(number, float(width), float(height), _boxes("word", body), _lines(body))
            for number, (width, height, body) in enumerate(found, 1)
        ]

    @cached_property
    def text(self) -> str:
        return self._run("pdftotext", "-layout", str(self.path), "-")

    @cached_property
    def squeezed(self) -> str:
        """The text without any white space: cells wrap where they like."""
        return "".join(self._run("pdftotext", str(self.path), "-").split())

    @cached_property
    def info(self) -> dict[str, str]:
        lines = self._run("pdfinfo", "-isodates", str(self.path)).splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    @cached_property
    def fonts(self) -> list[list[str]]:
        """Rows of pdffonts, split at white space; the last five are emb, sub, uni and the object's two numbers."""
        return [line.split() for line in self._run("pdffonts", str(self.path)).splitlines()[2:]]

    def check(self) -> str:
        return self._run("qpdf", "--check", str(self.path))

    def page_with(self, text: str) -> Page:
        """Return the last page on which a line is exactly `text`."""
        return [page for page in self.pages if any(line.text == text for line in page.lines)][-1]


def _boxes(tag: str, xml: str) -> tuple[Box, ...]:
    found = re.findall(rf"<{tag} {_BOX}>([^<]*)</{tag}>", xml)
    return tuple(Box(html.unescape(text), *map(float, place)) for *place, text in found)


def _lines(xml: str) -> tuple[Box, ...]:
    found = re.findall(rf"<line {_BOX}>(.*?)</line>", xml, re.S)
    return tuple(Box("".join(word.text for word in _boxes("word", body)), *map(float, place)) for *place, body in found)
