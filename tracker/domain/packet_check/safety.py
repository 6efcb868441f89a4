"""Checks of what a packet must not hold: encryption, scripts, links to the outside, media, later changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracker.domain.packet_check.parser import Damaged, Name, Ref, Stream
from tracker.domain.packet_check.reader import PdfReader
from tracker.domain.packet_check.result import Check, Sentence, checked, damage, not_checked, say
from tracker.domain.packet_check.volume import Packet, Volume
from tracker.domain.text import _n

ACTIONS = frozenset(
    {"GoTo3DView", "GoToDp", "GoToE", "GoToR", "Hide", "ImportData", "JavaScript", "Launch", "Movie", "Named"}
    | {"Rendition", "ResetForm", "RichMediaExecute", "SetOCGState", "Sound", "SubmitForm", "Thread", "Trans", "URI"}
)
KEYS = frozenset({"AA", "JS", "JavaScript", "OpenAction", "XFA", "RichMediaContent", "Movie", "Sound", "Rendition"})
ANNOTATIONS = frozenset({"3D", "FileAttachment", "Movie", "RichMedia", "Screen", "Sound"})
EMBEDDED_FONTS = ("FontFile", "FontFile2", "FontFile3")
WITHOUT_FILE = frozenset({"Type0", "Type3"})  # fonts whose file lies elsewhere or that are drawn

# What a signature may change of what was there: the entries of the catalog and of a page that it has to add to.
OF_CATALOG = frozenset({"AcroForm", "DSS", "Extensions", "Metadata", "Version"})
OF_PAGE = frozenset({"Annots"})
_CONTENTS = re.compile(rb"<[0-9A-Fa-f]*>")
_VALUE = rb"(?:\s{0,9}=\s{0,9}[\"']|[^<>]{0,200}>)\s{0,9}"  # of an attribute or of an element
_PART = re.compile(rb"pdfaid:part" + _VALUE + rb"([0-9])")
_LEVEL = re.compile(rb"pdfaid:conformance" + _VALUE + rb"([A-Za-z])")
LARGEST_METADATA = 10_000_000  # bytes


@dataclass
class Walked:
    """What walking through every object of a volume found."""

    active: list[Sentence] = field(default_factory=list)
    fonts: list[Sentence] = field(default_factory=list)
    broken: list[Sentence] = field(default_factory=list)


def walk(volume: Volume) -> Walked:
    """Look at every object of a volume."""
    found = Walked()
    known = {attachment.ref for attachment in volume.attachments.values()}
    try:
        for ref, value in volume.reader.every_object():
            for entries in _dictionaries(value):
                found.active += _active(entries, ref, known)
                found.fonts += _fonts(entries)
            if isinstance(value, Stream) and ("F" in value.entries or value.entries.get("Subtype") == "PS"):
                found.active.append(say(_n("对象 %(number)s 从文件之外取内容，或者含有程序。"), number=ref.number))
    except Damaged as broken:
        found.broken.append(damage(broken))
    return found


def _dictionaries(value: object) -> Iterator[dict[str, object]]:
    """Every dictionary in an object, itself included; references are not followed."""
    waiting = [value]
    while waiting:
        member = waiting.pop()
        if isinstance(member, Stream):
            member = member.entries
        if isinstance(member, dict):
            yield member
            waiting += member.values()
        elif isinstance(member, list):
            waiting += member


def _active(entries: dict[str, object], ref: Ref, known: set[Ref]) -> Iterator[Sentence]:
    """What in a dictionary would do something, play something or lead outside."""
    action, kind = entries.get("S"), entries.get("Type")
    if isinstance(action, Name) and action in ACTIONS and kind != "StructElem":
        text = _n("对象 %(number)s 是“%(what)s”动作：打开或者点按时会执行程序、播放内容或者连到外面。")
        yield say(text, number=ref.number, what=str(action))
    for key in sorted(KEYS & entries.keys()):
        yield say(_n("对象 %(number)s 含有“%(what)s”：打开时可能执行程序或者播放内容。"), number=ref.number, what=key)
    subtype = str(entries.get("Subtype"))
    if subtype in ANNOTATIONS and ("Rect" in entries or kind == "Annot"):
        text = _n("对象 %(number)s 是“%(what)s”类的批注：可能播放内容或者带有别的文件。")
        yield say(text, number=ref.number, what=subtype)
    if "EF" in entries and ref not in known:
        yield say(_n("对象 %(number)s 带有附件目录之外的文件。"), number=ref.number)


def _fonts(entries: dict[str, object]) -> Iterator[Sentence]:
    kind, name = entries.get("Type"), str(entries.get("BaseFont", entries.get("FontName", "")))
    if kind == "FontDescriptor":
        missing = not any(file in entries for file in EMBEDDED_FONTS)
    else:
        missing = kind == "Font" and "FontDescriptor" not in entries and str(entries.get("Subtype")) not in WITHOUT_FILE
    if missing:
        yield say(_n("字体 %(font)s 没有嵌入：别的机器上文字可能显示成别的样子。"), font=name)


def encryption_check(encrypted: int) -> Check:
    """Whether nothing is encrypted; `encrypted` files are."""
    return checked("encryption", [say(_n("文件加了密。"))] * encrypted)


def is_encrypted(reader: PdfReader) -> bool:
    """Whether a file says of itself that it is encrypted."""
    return any("Encrypt" in revision.trailer for revision in reader.revisions)


def active_check(walked: list[Walked]) -> Check:
    """Whether nothing does anything when it is opened or pressed."""
    return checked("active", [fault for found in walked for fault in (*found.active, *found.broken)])


def fonts_check(walked: list[Walked]) -> Check:
    """Whether every font is embedded."""
    by_text = {str(fault): fault for found in walked for fault in found.fonts}
    return checked("fonts", by_text.values())


def archive_check(volumes: list[Volume]) -> Check:
    """Whether every volume says that it is PDF/A-3. Whether it is, another program has to say."""
    faults, notes = [], [say(_n("是否真正符合 PDF/A，请用 veraPDF 核验。"))]
    for volume in volumes:
        claimed = _claimed(volume.reader)
        if claimed[:1] == "3":
            notes.insert(0, say(_n("第 %(volume)s 册标明为 PDF/A-%(level)s。"), volume=volume.number, level=claimed))
        else:
            faults.append(say(_n("第 %(volume)s 册没有标明是 PDF/A-3。"), volume=volume.number))
    return checked("archive", faults, notes)


def _claimed(reader: PdfReader) -> str:
    try:
        metadata = reader.content(reader.stream(reader.catalog.get("Metadata")), LARGEST_METADATA)
    except Damaged:
        return ""
    part, level = _PART.search(metadata), _LEVEL.search(metadata)
    return (part[1] + level[1]).decode("ascii").lower() if part and level else ""


# ---------------------------------------------------------------- what came later


def signatures(reader: PdfReader) -> list[dict[str, object]]:
    """The dictionaries of the signatures in a file. Raises Damaged."""
    form = reader.dictionary(reader.catalog.get("AcroForm"))
    fields = [reader.dictionary(entry) for entry in reader.array(form.get("Fields"))]
    return [reader.dictionary(entry["V"]) for entry in fields if entry.get("FT") == "Sig" and entry.get("V")]


def covered_until(reader: PdfReader, signature: dict[str, object]) -> int | None:
    """Up to where a signature covers the file, with nothing left out but itself; None where it is not so."""
    parts = reader.array(signature.get("ByteRange"))
    if len(parts) != 4 or not all(isinstance(part, int) and 0 <= part <= len(reader.data) for part in parts):
        return None
    start, before, behind, rest = (part for part in parts if isinstance(part, int))
    gap = reader.data[before:behind]
    return behind + rest if start == 0 and _CONTENTS.fullmatch(gap) else None


def signature_faults(reader: PdfReader) -> list[Sentence]:
    """What is wrong with where the signatures of a volume lie; whether they are valid is not looked at."""
    found = [covered_until(reader, signature) for signature in signatures(reader)]
    ends = {revision.end for revision in reader.revisions[1:]}
    faults = [say(_n("有一个签名没有完整覆盖它之前的全部内容。")) for end in found if end is None or end not in ends]
    if len(reader.data) not in found and "DSS" not in reader.catalog:  # what shows later that it was valid
        faults.append(say(_n("最后一个签名之后，文件又加了内容；请用 tracker packet verify 核验加了什么。")))
    return faults


def signature_check(volumes: list[Volume]) -> Check:
    """Where the signatures lie; an unsigned packet is told what that means."""
    signed = [volume for volume in volumes if signatures(volume.reader)]
    if not signed:
        text = _n("本卷没有电子签名：能发现意外改动，不能防止有人伪造整卷。请与另处记下的清单校验值核对：%(digest)s")
        return not_checked("signature", *(say(text, digest=v.marks.get("TrkManifest", "")) for v in volumes[:1]))
    faults = [fault for volume in signed for fault in signature_faults(volume.reader)]
    unsigned = [volume.number for volume in volumes if volume not in signed]
    faults += [say(_n("第 %(volume)s 册没有电子签名，别的册有。"), volume=number) for number in unsigned]
    return checked("signature", faults)


def validity_check(volumes: list[Volume]) -> Check:
    """Whether a signature is valid is for programs that know certificates."""
    if any(signatures(volume.reader) for volume in volumes):
        return not_checked("validity", say(_n("请用 tracker packet verify 或者 pdfsig 核验。")))
    return not_checked("validity", say(_n("本卷没有电子签名。")))


def revisions_check(volumes: list[Volume]) -> Check:
    """Whether nothing was changed after the packet was made but what a signature has to add."""
    faults: list[Sentence] = []
    for volume in volumes:
        try:
            faults += _revised(volume)
        except Damaged as broken:
            faults.append(damage(broken))
    return checked("revisions", faults)


def _revised(volume: Volume) -> Iterator[Sentence]:
    reader = volume.reader
    if len(reader.revisions) > 1 and not signatures(reader):
        yield say(_n("成卷以后文件被修订过 %(times)s 次，却没有电子签名。"), times=len(reader.revisions) - 1)
    first = reader.revisions[0]
    if any(revision.trailer.get("Root") != first.trailer.get("Root") for revision in reader.revisions):
        yield say(_n("文档的根对象被后来的修订换掉。"))
        return
    changed = {number for revision in reader.revisions[1:] for number in revision.places} & first.places.keys()
    for number in sorted(changed):
        ref = Ref(number, 0)
        if not _may_change(volume, ref, reader.as_of(ref, 0), reader.resolved(ref)):
            yield say(_n("对象 %(number)s 被后来的修订替换：显示出来的内容可能不是成卷时的内容。"), number=number)


def _may_change(volume: Volume, ref: Ref, before: object, after: object) -> bool:
    """Whether a signature may change this object."""
    trailer = volume.reader.trailer
    if ref.number == 0 or ref in (trailer.get("Info"), volume.reader.catalog.get("Metadata")):
        return True
    if any(page.entries.get("Annots") == ref for page in volume.pages):
        return True  # the digest of the page covers it
    if not isinstance(before, dict) or not isinstance(after, dict):
        return before == after
    allowed = OF_CATALOG if ref == trailer.get("Root") else OF_PAGE if before.get("Type") == "Page" else frozenset()
    names = before.keys() | after.keys()
    return all(name in allowed or before.get(name) == after.get(name) for name in names)


def sealed_check(packet: Packet) -> Check:
    """What of the packet was sealed: destroyed by two administrators, with a reason."""
    records = packet.manifest["evidence"]
    text = _n("佐证 %(evidence)s 的内容已按规定封存，只留校验值。")
    files = _n("佐证 %(evidence)s 的文件“%(file)s”已按规定封存，只留校验值。")
    notes = [say(text, evidence=record["key"]) for record in records if record["sealed"]]
    notes += [
        say(files, evidence=record["key"], file=file["name"])
        for record in records
        for file in record["files"]
        if file["state"] == "sealed"
    ]
    return checked("sealed", [], notes or [say(_n("没有封存的内容。"))])
