"""Checks of what a packet must not hold: encryption, scripts, links to the outside, media, later changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracker.domain.packet_check.parser import Damaged, Name, Ref, Stream
from tracker.domain.packet_check.reader import PdfReader
from tracker.domain.packet_check.result import Check, Faults, Sentence, checked, damage, gathered, not_checked, say
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
# Every other entry that the catalog of a packet has.
IN_CATALOG = frozenset(
    {"AF", "Lang", "MarkInfo", "Metadata", "Names", "Outlines", "OutputIntents", "Pages", "StructTreeRoot", "Type"}
    | {"PageMode", "ViewerPreferences"}
)
_CONTENTS = re.compile(rb"<[0-9A-Fa-f]*>")
_VALUE = rb"(?:\s{0,9}=\s{0,9}[\"']|[^<>]{0,200}>)\s{0,9}"  # of an attribute or of an element
_PART = re.compile(rb"pdfaid:part" + _VALUE + rb"([0-9])")
_LEVEL = re.compile(rb"pdfaid:conformance" + _VALUE + rb"([A-Za-z])")
LARGEST_METADATA = 10_000_000  # bytes


@dataclass
class Walked:
    """What walking through every object of a volume found."""

    active: Faults = field(default_factory=Faults)
    fonts: dict[str, Sentence] = field(default_factory=dict)
    broken: Faults = field(default_factory=Faults)


def walk(volume: Volume) -> Walked:
    """Look at every object of a volume."""
    found = Walked()
    known = {attachment.ref for attachment in volume.attachments.values()}
    try:
        for ref, value in volume.reader.every_object():
            for entries in _dictionaries(value):
                found.active.add(_active(entries, ref, known))
                found.fonts.update(_fonts(entries))
            if isinstance(value, Stream) and ("F" in value.entries or value.entries.get("Subtype") == "PS"):
                found.active.add([say(_n("对象 %(number)s 从文件之外取内容，或者含有程序。"), number=ref.number)])
    except Damaged as broken:
        found.broken.add([damage(broken)])
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


def _fonts(entries: dict[str, object]) -> Iterator[tuple[str, Sentence]]:
    kind, name = entries.get("Type"), str(entries.get("BaseFont", entries.get("FontName", "")))
    if kind == "FontDescriptor":
        missing = not any(file in entries for file in EMBEDDED_FONTS)
    else:
        missing = kind == "Font" and "FontDescriptor" not in entries and str(entries.get("Subtype")) not in WITHOUT_FILE
    if missing:
        yield name[:100], say(_n("字体 %(font)s 没有嵌入：别的机器上文字可能显示成别的样子。"), font=name)


def encryption_check(encrypted: int) -> Check:
    """Whether nothing is encrypted; `encrypted` files are."""
    return checked("encryption", [say(_n("文件加了密。"))] * encrypted)


def is_encrypted(reader: PdfReader) -> bool:
    """Whether a file says of itself that it is encrypted."""
    return any("Encrypt" in revision.trailer for revision in reader.revisions)


def active_check(walked: list[Walked]) -> Check:
    """Whether nothing does anything when it is opened or pressed."""
    return checked("active", gathered(*(faults for found in walked for faults in (found.active, found.broken))))


def fonts_check(walked: list[Walked]) -> Check:
    """Whether every font is embedded."""
    return checked("fonts", {name: fault for found in walked for name, fault in found.fonts.items()}.values())


def archive_check(volumes: list[Volume]) -> Check:
    """Whether every volume says that it is PDF/A-3. Whether it is, another program has to say."""
    faults, notes = [], []
    for volume in volumes:
        claimed = _claimed(volume.reader)
        if claimed[:1] == "3":
            notes.append(say(_n("第 %(volume)s 册标明为 PDF/A-%(level)s。"), volume=volume.number, level=claimed))
        else:
            faults.append(say(_n("第 %(volume)s 册没有标明是 PDF/A-3。"), volume=volume.number))
    return checked("archive", faults, [*notes, say(_n("是否真正符合 PDF/A，请用 veraPDF 核验。"))])


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
    if not ends.intersection(found):
        return [say(_n("文件被重新保存或改写，签名已失效。"))]
    faults = [say(_n("有一个签名没有完整覆盖它之前的全部内容。")) for end in found if end not in ends]
    if len(reader.data) not in found:
        faults.append(say(_n("最后一个签名之后，文件又加了内容，这些内容没有人签名。")))
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
    may_change = _MayChange(volume)
    for number in sorted(changed):
        if not may_change(Ref(number, 0)):
            yield say(_n("对象 %(number)s 被后来的修订替换：显示出来的内容可能不是成卷时的内容。"), number=number)


class _MayChange:
    """Which objects a signature may change, and how."""

    def __init__(self, volume: Volume) -> None:
        self._reader = volume.reader
        self._root = volume.reader.revisions[0].trailer.get("Root")
        root = self._before(self._root)
        self._metadata = root.get("Metadata") if isinstance(root, dict) else None
        self._info = volume.reader.revisions[0].trailer.get("Info")
        places = (page.entries.get("Annots") for page in volume.pages)
        self._annotations = {place for place in places if isinstance(place, Ref)}  # the digests of pages cover them

    def __call__(self, ref: Ref) -> bool:
        before, after = self._before(ref), self._reader.resolved(ref)
        if ref.number == 0 or (ref in self._annotations and isinstance(after, list)):
            return True
        if ref == self._metadata and isinstance(before, Stream):
            return isinstance(after, Stream) and after.entries.get("Type") == before.entries.get("Type") == "Metadata"
        if not isinstance(before, dict) or not isinstance(after, dict):
            return before == after
        if ref == self._info:
            return True
        allowed = OF_CATALOG if ref == self._root else OF_PAGE if before.get("Type") == "Page" else frozenset()
        return all(name in allowed or before.get(name) == after.get(name) for name in before.keys() | after.keys())

    def _before(self, value: object) -> object:
        return self._reader.as_of(value, 0) if isinstance(value, Ref) else None


# ---------------------------------------------------------------- what else a document says


def document_check(volumes: list[Volume]) -> Check:
    """Whether a document has nothing that packets do not have."""
    faults = Faults()
    for volume in volumes:
        try:
            faults.add(_unexpected(volume))
        except Damaged as broken:
            faults.add([damage(broken)])
    note = say(_n("书签、结构和替代文字没有逐项核对，只由全卷校验值和电子签名保护。"))
    return checked("document", faults, (note,))


def _unexpected(volume: Volume) -> Iterator[Sentence]:
    reader, catalog = volume.reader, volume.reader.catalog
    expected = IN_CATALOG | (OF_CATALOG if signatures(reader) else frozenset())
    text = _n("文档里有督查卷不应有的“%(what)s”，它可能改变显示的内容。")
    names = sorted(catalog.keys() - expected)
    if catalog.get("PageMode", "UseOutlines") != "UseOutlines":
        names.append("PageMode")
    names += [f"Names {name}" for name in sorted(reader.dictionary(catalog.get("Names")).keys() - {"EmbeddedFiles"})]
    preferences = reader.dictionary(catalog.get("ViewerPreferences"))
    names += [f"ViewerPreferences {name}" for name in sorted(preferences.keys() - {"DisplayDocTitle"})]
    yield from (say(text, what=name) for name in names)


def sealed_check(packet: Packet, log: Faults) -> Check:
    """What of the packet was sealed: destroyed by two administrators, with a reason; `log` names entries of the log."""
    found = gathered(_sealed_evidence(packet), _sealed_reasons(packet), log)
    if not found.kept:
        found.add([say(_n("没有封存的内容。"))])
    return checked("sealed", (), found)


def _sealed_evidence(packet: Packet) -> Iterator[Sentence]:
    text = _n("佐证 %(evidence)s 的内容已按规定封存，只留校验值。")
    files = _n("佐证 %(evidence)s 的文件“%(file)s”已按规定封存，只留校验值。")
    for record in packet.manifest["evidence"]:
        if record["sealed"]:
            yield say(text, evidence=record["key"])
        for file in record["files"]:
            if file["state"] == "sealed":
                yield say(files, evidence=record["key"], file=file["name"])


def _sealed_reasons(packet: Packet) -> Iterator[Sentence]:
    text = _n("任务 %(duty)s 第 %(number)s 次签认的理由已按规定封存，只留校验值。")
    for duty in packet.manifest["duties"]:
        for sign_off in duty["sign_offs"]:
            if sign_off["reason"] is None and sign_off["reason_sha256"] is not None:
                yield say(text, duty=duty["key"], number=sign_off["number"])
