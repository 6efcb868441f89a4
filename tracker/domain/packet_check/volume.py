"""One volume of a packet: its marks in the trailer, its embedded files, its pages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracker.domain.packet_check.content import PageDigests
from tracker.domain.packet_check.manifest import Members
from tracker.domain.packet_check.parser import Damaged, Ref, Stream
from tracker.domain.packet_check.reader import Page, PdfReader
from tracker.domain.packet_check.result import Sentence, damage, say
from tracker.domain.text import _n

MANIFEST, SHA256SUMS, SM3SUMS = "manifest.json", "SHA256SUMS", "SM3SUMS"
# Embedded files that the manifest does not list, and what they are.
UNLISTED = {MANIFEST: "application/json", SHA256SUMS: "text/plain", SM3SUMS: "text/plain"}
OF_SPEC = frozenset({"AFRelationship", "Desc", "EF", "F", "Type", "UF"})
OF_FILES = frozenset({"F", "UF"})
OF_FILE = frozenset({"Filter", "Length", "Params", "Subtype", "Type"})
OF_PARAMS = frozenset({"CheckSum", "CreationDate", "ModDate", "Size"})
RELATIONSHIPS = frozenset({"Data", "Source"})
DEEPEST_TREE = 20
MOST_NAMES = 100_000
CHUNK_OF_FILE = 1 << 20

# What the bytes of a text mean in PDF's own encoding where it is not Latin-1.
_PDF_LETTERS = str.maketrans(
    {0x18 + at: letter for at, letter in enumerate("˘ˇˆ˙˝˛˚˜")}
    | {0x80 + at: letter for at, letter in enumerate("•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž")}
    | {0xA0: "€"}
)


@dataclass(frozen=True)
class Attachment:
    """An embedded file: its name, its description, what it says it is and how large, its bytes."""

    name: str
    description: str
    media_type: str
    size: object
    stream: Stream
    ref: Ref


@dataclass(frozen=True)
class Hashed:
    """What came of reading an embedded file: its size and digests; `sm3` is None where this Python has no SM3."""

    size: int
    sha256: str
    sm3: str | None


@dataclass
class Volume:
    """A volume that could be opened. `faults` are those of the list of its embedded files."""

    reader: PdfReader
    marks: dict[str, str]
    attachments: dict[str, Attachment] = field(default_factory=dict)
    faults: list[Sentence] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    digests: PageDigests | None = None
    hashed: dict[str, Hashed] = field(default_factory=dict)
    wants_sm3: bool = False

    @property
    def number(self) -> int:
        """The number of the volume; 0 where it is not given."""
        return int(self.marks.get("TrkVolume", "0"))

    @property
    def page_digests(self) -> PageDigests:
        """What makes the digests of its pages."""
        assert self.digests is not None  # noqa: S101  they are made where the pages are read
        return self.digests

    def content(self, name: str, limit: int) -> bytes:
        """The content of an embedded file. Raises Damaged."""
        return self.reader.content(self.attachments[name].stream, limit)


@dataclass(frozen=True)
class Packet:
    """The volumes that were given, by their numbers, and the manifest of them all."""

    volumes: dict[int, Volume]
    manifest: Members

    def files_of(self, volume: int) -> dict[str, Members]:
        """The embedded files that the manifest lists in a volume, by their names."""
        return {file["name"]: file for file in self.manifest["files"] if file["volume"] == volume}

    def pages_of(self, volume: int) -> list[Members]:
        """The pages that the manifest lists in a volume; there are none where it does not know the volume."""
        found = [v for v in self.manifest["volumes"] if v["number"] == volume]
        return self.manifest["pages"][found[0]["first_page"] - 1 : found[0]["last_page"]] if found else []

    def holder_of(self, name: str) -> Volume | None:
        """The first of the given volumes in which a file is embedded."""
        return next((volume for volume in self.volumes.values() if name in volume.attachments), None)


MARKS = {
    "TrkPacket": re.compile(r"[\x20-\x7e]{1,100}"),
    "TrkVolume": re.compile(r"[1-9][0-9]{0,5}"),
    "TrkManifest": re.compile(r"[0-9a-f]{64}"),
    "TrkDigest": re.compile(r"[0-9a-f]{64}"),
}


def is_packet(volume: Volume) -> bool:
    """Whether a file says that it is a volume of a packet."""
    return volume.marks.keys() >= MARKS.keys() - {"TrkDigest"}


def read_volume(reader: PdfReader) -> Volume:
    """Read what a volume is made of; the bytes of files and pages are read later. Raises Damaged."""
    trailer = reader.revisions[0].trailer
    written = {name: text_of(trailer.get(name)) for name in MARKS}
    marks = {name: text for name, text in written.items() if MARKS[name].fullmatch(text)}
    volume = Volume(reader, marks)
    _read_attachments(volume)
    volume.pages = reader.pages()
    volume.digests = PageDigests(reader, volume.pages)
    return volume


def _read_attachments(volume: Volume) -> None:
    reader = volume.reader
    names = reader.dictionary(reader.catalog.get("Names"))
    for key, spec in _leaves(reader, names.get("EmbeddedFiles")):
        try:
            attachment = _attachment(reader, key, spec)
        except Damaged as found:
            volume.faults.append(say(_n("嵌入文件 %(file)s 无法取出：%(why)s"), file=key, why=damage(found)))
            continue
        if attachment.name in volume.attachments:
            volume.faults.append(say(_n("嵌入文件 %(file)s 出现了两次。"), file=attachment.name))
        volume.attachments[attachment.name] = attachment
    known = {attachment.ref for attachment in volume.attachments.values()}
    for spec in reader.array(reader.catalog.get("AF")):
        if not isinstance(spec, Ref) or spec not in known:
            text = _n("文档关联了一个不在附件目录中的文件（文件第 %(where)s 字节处）。")
            volume.faults.append(say(text, where=reader.where(spec)))


def _leaves(reader: PdfReader, root: object) -> Iterator[tuple[str, object]]:
    """The names and values of a name tree."""
    waiting: list[tuple[object, int]] = [(root, 0)]
    count = 0
    while waiting:
        node, depth = waiting.pop()
        entries = reader.dictionary(node)
        kids, names = reader.array(entries.get("Kids")), reader.array(entries.get("Names"))
        count += len(kids) + len(names)
        if depth > DEEPEST_TREE or count > MOST_NAMES or len(names) % 2:
            raise Damaged(reader.where(node), _n("附件目录不对：过深、过大，或者不成对。"))
        waiting += [(kid, depth + 1) for kid in reversed(kids)]
        yield from ((text_of(names[at]), names[at + 1]) for at in range(0, len(names), 2))


def _attachment(reader: PdfReader, key: str, spec: object) -> Attachment:
    entries = reader.dictionary(spec)
    files = reader.dictionary(entries.get("EF"))
    streams = [files[name] for name in ("F", "UF") if name in files]
    given = {text_of(reader.resolved(entries.get(name))) for name in ("F", "UF") if name in entries}
    if not isinstance(spec, Ref) or given != {key} or not streams or streams[0] != streams[-1]:
        raise Damaged(reader.where(spec), _n("附件目录中的名称与文件自己的名称不一致，或者没有内容。"))
    stream = reader.stream(streams[0])
    facts = reader.dictionary(stream.entries.get("Params"))
    more = (entries.keys() - OF_SPEC) | (files.keys() - OF_FILES) | (stream.entries.keys() - OF_FILE)
    if more or facts.keys() - OF_PARAMS or entries.get("AFRelationship") not in RELATIONSHIPS:
        raise Damaged(reader.where(spec), _n("附件有督查卷不应有的设置，别的程序可能取出另一份内容。"))
    description = text_of(reader.resolved(entries.get("Desc")))
    return Attachment(key, description, str(stream.entries.get("Subtype", "")), facts.get("Size"), stream, spec)


def text_of(value: object) -> str:
    """A string of a PDF as text; empty where it is none."""
    if not isinstance(value, bytes):
        return ""
    if value[:2] == b"\xfe\xff":
        return value[2:].decode("utf-16-be", "replace")
    if value[:3] == b"\xef\xbb\xbf":
        return value[3:].decode("utf-8", "replace")
    return value.decode("latin-1").translate(_PDF_LETTERS)


# ---------------------------------------------------------------- digests


def has_sm3() -> bool:
    """Whether this Python can make SM3 digests."""
    return "sm3" in hashlib.algorithms_available


def hash_file(volume: Volume, name: str) -> Hashed:
    """Read an embedded file and hash it, once. Raises Damaged."""
    if name not in volume.hashed:
        first, size = hashlib.sha256(), 0
        second = hashlib.new("sm3") if volume.wants_sm3 and has_sm3() else None
        for piece in volume.reader.unpacked(volume.attachments[name].stream):
            first.update(piece)
            if second:
                second.update(piece)
            size += len(piece)
        volume.hashed[name] = Hashed(size, first.hexdigest(), second.hexdigest() if second else None)
    return volume.hashed[name]


def first_revision_digest(reader: PdfReader) -> tuple[str, str] | None:
    """What the first revision says its SHA-256 is, and what it is; None where it does not say it, or twice."""
    revision = reader.revisions[0]
    written = re.compile(rb"/TrkDigest[\x00\t\n\x0c\r ]*\(([0-9a-f]{64})\)")
    found = list(written.finditer(reader.data[revision.table : revision.end]))
    if len(found) != 1:
        return None
    begin, end = revision.table + found[0].start(1), revision.table + found[0].end(1)
    whole = hashlib.sha256()
    for start, stop in ((0, begin), (end, revision.end)):
        for at in range(start, stop, CHUNK_OF_FILE):
            whole.update(reader.data[at : min(at + CHUNK_OF_FILE, stop)])
        if stop == begin:
            whole.update(b"0" * 64)
    return found[0][1].decode("ascii"), whole.hexdigest()
