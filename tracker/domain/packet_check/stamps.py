"""Checks of what the stamps are drawn with: their fonts, and the QR code, module by module."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracker.domain.packet_check.content import STAMP, Names
from tracker.domain.packet_check.parser import Damaged, Real, Ref, Stream
from tracker.domain.packet_check.qr import is_code_of
from tracker.domain.packet_check.reader import Page
from tracker.domain.packet_check.result import Sentence, damage, say
from tracker.domain.packet_check.volume import Volume
from tracker.domain.text import _n

CODE = "TrkQR"
KINDS = ("Font", "XObject")
LARGEST_CODE = 1_000_000  # bytes of the QR code
OF_CODE = frozenset({"BBox", "Filter", "Length", "Matrix", "Resources", "Subtype", "Type"})
NEAR = 0.001  # by how much the side of a code may differ from 1
_SQUARE = re.compile(rb"([0-9]{1,3}) ([0-9]{1,3}) 1 1 re ")

Parts = list[tuple[str, str, object]]  # kind of resource, name, value


class StampParts:
    """The fonts and the QR code of the stamps in a volume: each is checked once, wherever it is used."""

    def __init__(self, volume: Volume, fonts: dict[str, str]) -> None:
        self._reader = volume.reader
        self._digests = volume.page_digests
        self._fonts = fonts
        self._text = f"TRK1 {volume.marks['TrkPacket']} {volume.marks['TrkManifest']}"
        self._parts: dict[Ref, Parts] = {}
        self._known: dict[tuple[str, object], list[Sentence]] = {}

    def faults(self, page: Page, number: int, named: Names) -> Iterator[Sentence]:
        """What is wrong with the parts of the stamp of a page; `named` are the names that its stamp draws with."""
        try:
            parts = self._of(page.entries.get("Resources"))
            for name in sorted(named - {name for kind, name, _ in parts if (kind == "XObject") == (name == CODE)}):
                yield say(_n("第 %(page)s 页的页边标识所用的 %(name)s 缺失。"), page=number, name=name)
            for kind, name, value in parts:
                yield from self._part(kind, name, value, number)
        except Damaged as found:
            yield say(_n("第 %(page)s 页无法读取：%(why)s"), page=number, why=damage(found))

    def _of(self, resources: object) -> Parts:
        """The fonts and forms in the resources of a page whose names are those of a stamp."""
        if isinstance(resources, Ref) and resources in self._parts:
            return self._parts[resources]
        entries = self._reader.dictionary(resources)
        parts = [
            (kind, name, value)
            for kind in KINDS
            for name, value in self._reader.dictionary(entries.get(kind)).items()
            if name.startswith(STAMP)
        ]
        if isinstance(resources, Ref):
            self._parts[resources] = parts
        return parts

    def _part(self, kind: str, name: str, value: object, number: int) -> Iterator[Sentence]:
        key = (name, value if isinstance(value, Ref) else number)
        if key not in self._known:
            self._known[key] = list(self._font(name, value) if kind == "Font" else self._code(name, value))
            yield from (say(_n("第 %(page)s 页：%(fault)s"), page=number, fault=fault) for fault in self._known[key])

    def _font(self, name: str, value: object) -> Iterator[Sentence]:
        if name not in self._fonts:
            yield say(_n("页边标识用了不在清单中的字体 %(font)s。"), font=name)
        elif self._digests.of_object(value) != self._fonts[name]:
            yield say(_n("页边标识的字体 %(font)s 被改动：文字可能被换了样子。"), font=name)

    def _code(self, name: str, value: object) -> Iterator[Sentence]:
        form = self._reader.stream(value)
        side = self._side(form)
        drawn = self._reader.content(form, LARGEST_CODE)
        if name != CODE or side is None or not _is_drawn(drawn):
            yield say(_n("二维码 %(name)s 里有方块以外的东西，它可能被画成了别的样子。"), name=name)
        elif not is_code_of(self._text, {(side - 1 - int(y), int(x)) for x, y in _SQUARE.findall(drawn)}, side):
            yield say(_n("二维码 %(name)s 不是本卷的：扫描出来的卷号或者清单校验值会与本卷不同。"), name=name)

    def _side(self, form: Stream) -> int | None:
        """How many modules a code is wide; None where its form is not that of a code."""
        entries = form.entries
        box, matrix = self._reader.array(entries.get("BBox")), self._reader.array(entries.get("Matrix"))
        side = box[2] if len(box) == 4 else None
        if not isinstance(side, int) or box != [0, 0, side, side] or len(matrix) != 6:
            return None
        scale = matrix[0]
        even = isinstance(scale, Real) and matrix == [scale, 0, 0, scale, 0, 0] and abs(float(scale) * side - 1) < NEAR
        plain = not entries.keys() - OF_CODE and not self._reader.dictionary(entries.get("Resources"))
        kind = entries.get("Type"), entries.get("Subtype")
        return side if even and plain and kind == ("XObject", "Form") else None


def _is_drawn(drawn: bytes) -> bool:
    """Whether a drawing is nothing but squares of one unit, no two in one place, that are filled at the end."""
    squares = _SQUARE.findall(drawn)
    return drawn.endswith(b" f") and _SQUARE.sub(b"", drawn) == b"f" and len(squares) == len(set(squares))
