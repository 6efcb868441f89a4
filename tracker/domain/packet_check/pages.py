"""Checks of the pages: their number, order and content, their stamps, and what lies on them."""

from __future__ import annotations

from dataclasses import dataclass, field

from tracker.domain.packet_check.content import PageContent
from tracker.domain.packet_check.order import Changes, compare
from tracker.domain.packet_check.parser import Damaged, Ref
from tracker.domain.packet_check.reader import Page
from tracker.domain.packet_check.result import Check, Faults, checked, damage, gathered, say
from tracker.domain.packet_check.stamps import StampParts
from tracker.domain.packet_check.volume import Packet, Volume
from tracker.domain.text import _n


@dataclass
class Seen:
    """What reading the pages of a volume found."""

    contents: list[PageContent] = field(default_factory=list)
    unreadable: Faults = field(default_factory=Faults)
    stamps: Faults = field(default_factory=Faults)
    annotations: Faults = field(default_factory=Faults)
    changes: Changes = field(default_factory=Changes)
    kinds: dict[object, list[str]] = field(default_factory=dict)  # of the annotations in an array


def read_pages(packet: Packet, number: int) -> Seen:
    """Read all pages of a volume, once."""
    volume, wanted, seen = packet.volumes[number], packet.pages_of(number), Seen()
    first = wanted[0]["page"] if wanted else 1
    parts = StampParts(volume, packet.manifest["stamp_fonts"])
    for place, page in enumerate(volume.pages, start=first):
        content = _read_page(volume, page, place, seen)
        seen.stamps.add(parts.faults(page, place, content.named))
    digests = [page["content"] for page in wanted]
    seen.changes = compare(digests, [content.content for content in seen.contents])
    for at, place in seen.changes.same:
        if seen.contents[place].stamp != wanted[at]["stamp"]:
            text = _n("第 %(page)s 页的页边标识（卷号、页码、校验码、二维码）被改动或者缺失。")
            seen.stamps.add([say(text, page=place + first)])
    return seen


def _read_page(volume: Volume, page: Page, number: int, seen: Seen) -> PageContent:
    try:
        content = volume.page_digests.of(page)
        kinds = _kinds(volume, page, seen)
    except Damaged as found:
        content, kinds = PageContent("", None), []
        seen.unreadable.add([say(_n("第 %(page)s 页无法读取：%(why)s"), page=number, why=damage(found))])
    seen.contents.append(content)
    text = _n("第 %(page)s 页上有“%(kind)s”类的批注：督查卷的页上只应有目录链接。")
    seen.annotations.add(say(text, page=number, kind=kind) for kind in kinds)
    return content


def _kinds(volume: Volume, page: Page, seen: Seen) -> list[str]:
    """The kinds of the annotations on a page that should not be there."""
    place = page.entries.get("Annots")
    if not isinstance(place, Ref):
        return _kinds_in(volume, page)
    if place not in seen.kinds:
        seen.kinds[place] = _kinds_in(volume, page)
    return seen.kinds[place]


def _kinds_in(volume: Volume, page: Page) -> list[str]:
    kinds = (_kind(volume, annotation) for annotation in volume.page_digests.annotations(page))
    return [kind for kind in kinds if kind != "Link"]


def _kind(volume: Volume, annotation: object) -> str:
    """The kind of an annotation; the field of a signature that takes no room counts as a link."""
    if volume.page_digests.is_unseen_signature(annotation):
        return "Link"
    return str(volume.reader.dictionary(annotation).get("Subtype", ""))


def pages_check(packet: Packet, seen: dict[int, Seen]) -> Check:
    """Whether the pages are those of the manifest, in their order."""
    firsts = {number: next((page["page"] for page in packet.pages_of(number)), 1) for number in seen}
    return checked("pages", gathered(*(found.changes.faults(firsts[number]) for number, found in seen.items())))


def stamps_check(seen: dict[int, Seen]) -> Check:
    """Whether the stamps on the pages are those of the manifest."""
    return checked("stamps", gathered(*(found.stamps for found in seen.values())))


def annotations_check(seen: dict[int, Seen]) -> Check:
    """Whether nothing but links lies on the pages."""
    return checked("annotations", gathered(*(found.annotations for found in seen.values())))


def readable_check(seen: dict[int, Seen]) -> Check:
    """Whether every page could be read."""
    return checked("readable", gathered(*(found.unreadable for found in seen.values())))
