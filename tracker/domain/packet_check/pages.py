"""Checks of the pages: their number, order and content, their stamps, and what lies on them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracker.domain.packet_check.content import STAMP, PageContent
from tracker.domain.packet_check.order import Changes, compare
from tracker.domain.packet_check.parser import Damaged, Ref
from tracker.domain.packet_check.reader import Page, PdfReader
from tracker.domain.packet_check.result import Check, Sentence, checked, damage, say
from tracker.domain.packet_check.volume import Packet, Volume
from tracker.domain.text import _n

LARGEST_CODE = 1_000_000  # bytes of the QR code
FONT_FILES = ("FontFile", "FontFile2", "FontFile3")
_NUMBER = re.compile(rb"[-+]?[0-9]{0,9}\.?[0-9]{0,9}")


@dataclass
class Seen:
    """What reading the pages of a volume found."""

    contents: list[PageContent] = field(default_factory=list)
    unreadable: list[Sentence] = field(default_factory=list)
    stamps: list[Sentence] = field(default_factory=list)
    annotations: list[Sentence] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)


def read_pages(packet: Packet, number: int) -> Seen:
    """Read all pages of a volume, once."""
    volume, wanted, seen = packet.volumes[number], packet.pages_of(number), Seen()
    first = wanted[0]["page"] if wanted else 1
    fonts = _StampParts(volume.reader, packet.manifest["stamp_fonts"])
    for place, page in enumerate(volume.pages, start=first):
        _read_page(volume, page, place, seen)
        seen.stamps += fonts.faults(page, place)
    digests = [page["content"] for page in wanted]
    seen.changes = compare(digests, [content.content for content in seen.contents])
    for at, place in seen.changes.same:
        if seen.contents[place].stamp != wanted[at]["stamp"]:
            text = _n("第 %(page)s 页的页边标识（卷号、页码、校验码、二维码）被改动或者缺失。")
            seen.stamps.append(say(text, page=place + first))
    return seen


def _read_page(volume: Volume, page: Page, number: int, seen: Seen) -> None:
    digests = volume.digests
    assert digests is not None  # noqa: S101  they are made where the pages are read
    try:
        content = digests.of(page)
        kinds = [_kind(volume, annotation) for annotation in digests.annotations(page)]
    except Damaged as found:
        content, kinds = PageContent("", None), []
        seen.unreadable.append(say(_n("第 %(page)s 页无法读取：%(why)s"), page=number, why=damage(found)))
    seen.contents.append(content)
    for kind in kinds:
        if kind != "Link":
            text = _n("第 %(page)s 页上有“%(kind)s”类的批注：督查卷的页上只应有目录链接。")
            seen.annotations.append(say(text, page=number, kind=kind))


def _kind(volume: Volume, annotation: object) -> str:
    """The kind of an annotation; the field of a signature that takes no room counts as a link."""
    if volume.digests and volume.digests.is_unseen_signature(annotation):
        return "Link"
    return str(volume.reader.dictionary(annotation).get("Subtype", ""))


class _StampParts:
    """The fonts and the QR code of the stamps: each is checked once, wherever it is used."""

    def __init__(self, reader: PdfReader, fonts: dict[str, str]) -> None:
        self._reader = reader
        self._fonts = fonts
        self._known: dict[tuple[str, object], list[Sentence]] = {}
        self._codes: set[object] = set()

    def faults(self, page: Page, number: int) -> Iterator[Sentence]:
        """What is wrong with the parts of the stamp of a page."""
        try:
            resources = self._reader.dictionary(page.entries.get("Resources"))
            parts = [
                (kind, name, value)
                for kind in ("Font", "XObject")
                for name, value in self._reader.dictionary(resources.get(kind)).items()
                if name.startswith(STAMP)
            ]
            for kind, name, value in parts:
                yield from self._part(kind, name, value, number)
        except Damaged as found:
            yield say(_n("第 %(page)s 页无法读取：%(why)s"), page=number, why=damage(found))

    def _part(self, kind: str, name: str, value: object, number: int) -> Iterator[Sentence]:
        key = (name, value if isinstance(value, Ref) else number)
        if key not in self._known:
            found = self._font(name, value) if kind == "Font" else self._code(name, value)
            self._known[key] = list(found)
            yield from (say(_n("第 %(page)s 页：%(fault)s"), page=number, fault=fault) for fault in self._known[key])

    def _font(self, name: str, value: object) -> Iterator[Sentence]:
        if name not in self._fonts:
            yield say(_n("页边标识用了不在清单中的字体 %(font)s。"), font=name)
        elif _font_digest(self._reader, value) != self._fonts[name]:
            yield say(_n("页边标识的字体 %(font)s 被改动：文字可能被换了样子。"), font=name)

    def _code(self, name: str, value: object) -> Iterator[Sentence]:
        self._codes.add(value if isinstance(value, Ref) else name)
        form = self._reader.stream(value)
        plain = not self._reader.dictionary(form.entries.get("Resources"))
        drawn = self._reader.content(form, LARGEST_CODE)
        if name != "TrkQR" or not plain or not _only_squares(drawn):
            yield say(_n("二维码 %(name)s 里有方块以外的东西，它可能被画成了别的样子。"), name=name)
        if len(self._codes) > 1:
            yield say(_n("各页的二维码不是同一个。"))


def _only_squares(drawn: bytes) -> bool:
    """Whether a drawing is nothing but rectangles (four numbers and `re`) that are filled (`f`)."""
    numbers, squares = 0, 0
    for word in drawn.split():
        if word == b"re" and numbers == 4:
            numbers, squares = 0, squares + 1
        elif _NUMBER.fullmatch(word) and numbers < 4:
            numbers += 1
        elif word != b"f" or numbers:
            return False
    return squares > 0 and numbers == 0


def _font_digest(reader: PdfReader, font: object) -> str:
    """SHA-256 of the font file of a font, as it lies in the PDF; empty where there is none."""
    entries = reader.dictionary(font)
    descendants = reader.array(entries.get("DescendantFonts"))
    descriptor = reader.dictionary(reader.dictionary(descendants[0] if descendants else font).get("FontDescriptor"))
    files = [descriptor[name] for name in FONT_FILES if name in descriptor]
    if len(files) != 1:
        return ""
    found = hashlib.sha256()
    for piece in reader.raw(reader.stream(files[0])):
        found.update(piece)
    return found.hexdigest()


def pages_check(packet: Packet, seen: dict[int, Seen]) -> Check:
    """Whether the pages are those of the manifest, in their order."""
    faults: list[Sentence] = []
    for number, found in seen.items():
        wanted = packet.pages_of(number)
        faults += found.changes.faults(wanted[0]["page"] if wanted else 1)
    return checked("pages", faults)


def stamps_check(seen: dict[int, Seen]) -> Check:
    """Whether the stamps on the pages are those of the manifest."""
    return checked("stamps", [fault for found in seen.values() for fault in found.stamps])


def annotations_check(seen: dict[int, Seen]) -> Check:
    """Whether nothing but links lies on the pages."""
    return checked("annotations", [fault for found in seen.values() for fault in found.annotations])


def readable_check(seen: dict[int, Seen]) -> Check:
    """Whether every page could be read."""
    return checked("readable", [fault for found in seen.values() for fault in found.unreadable])
