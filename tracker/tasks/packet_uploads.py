"""What is handed in to be verified: volumes, and the ZIP of several that the system delivers, packet by packet."""

from __future__ import annotations

import re
import shutil
import struct
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tracker.domain.errors import Invalid
from tracker.domain.filename import printable
from tracker.domain.packet_check.parser import Damaged
from tracker.domain.packet_check.reader import opened
from tracker.domain.packet_check.volume import MARKS, text_of
from tracker.domain.text import _n

MOST_MEMBERS = 200
_GROWTH = 1.1  # how many times the size of a ZIP that is not compressed its content may have
_ZIP = b"PK\x03\x04"
_SEPARATORS = re.compile(r"[/\\]")


def name_on_disk(raw: str) -> str:
    """The name that a file came with, fit for a disk: sentences of a result name the file by it."""
    name = printable(_SEPARATORS.split(raw)[-1]).strip(". ")
    return name or "packet.pdf"


def marks_of(path: Path) -> dict[str, str]:
    """What a volume says of itself in its trailer, by the names of the marks; nothing where it cannot be read."""
    try:
        with opened(path) as reader:
            written = {name: text_of(reader.revisions[0].trailer.get(name)) for name in MARKS}
    except Damaged:
        return {}
    return {name: text for name, text in written.items() if MARKS[name].fullmatch(text)}


def by_packet(paths: Iterable[Path]) -> list[list[Path]]:
    """The files by the packet that they name, each packet where its first file stood; one that names none is alone.

    A second copy of a volume begins the packet once more, so that a sound copy is not blamed for a changed one.
    """
    groups: list[tuple[dict[str, str], dict[str, Path]]] = []
    for path in paths:
        marks = marks_of(path)
        volume = marks.get("TrkVolume", "")
        open_to = [group for group in groups if _is_same("TrkPacket", group[0], marks) and volume not in group[1]]
        closest = sorted(open_to, key=lambda group: not _is_same("TrkManifest", group[0], marks))
        if closest:
            closest[0][1][volume] = path
        else:
            groups.append((marks, {volume: path}))
    return [list(volumes.values()) for _, volumes in groups]


def _is_same(name: str, one: dict[str, str], other: dict[str, str]) -> bool:
    return name in one and one[name] == other.get(name)


def is_zip(path: Path) -> bool:
    """Whether the file begins like a ZIP."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def unpacked(path: Path, folder: Path) -> list[Path]:
    """Write the volumes in a ZIP below `folder`; raises Invalid for any ZIP but one as the system delivers it."""
    try:
        with zipfile.ZipFile(path) as bundle:
            members = bundle.infolist()
            _check(members, path)
            return [_taken(bundle, member, folder / str(at)) for at, member in enumerate(members)]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, struct.error) as error:
        raise Invalid(_n("《%(name)s》是损坏的压缩包，请重新下载后再核验。"), field="file", name=path.name) from error


def _check(members: Sequence[zipfile.ZipInfo], path: Path) -> None:
    if not 0 < len(members) <= MOST_MEMBERS:
        raise Invalid(
            _n("《%(name)s》里的文件不是 1 至 %(most)s 个，请解压后分几次核验。"),
            field="file",
            name=path.name,
            most=MOST_MEMBERS,
        )
    size = sum(member.file_size for member in members)
    if not all(_is_plain(member) for member in members) or size > path.stat().st_size * _GROWTH:
        raise Invalid(
            _n("《%(name)s》不是本系统生成的那种压缩包，请先解压，再选择其中的 PDF 文件核验。"),
            field="file",
            name=path.name,
        )


def _is_plain(member: zipfile.ZipInfo) -> bool:
    """Whether a member is a PDF that is neither compressed nor encrypted and lies in no folder."""
    name = member.filename
    is_stored = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
    return is_stored and not member.flag_bits & 1 and name.lower().endswith(".pdf") and not _SEPARATORS.search(name)


def _taken(bundle: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> Path:
    folder.mkdir(parents=True, mode=0o700)
    path = folder / name_on_disk(member.filename)
    with bundle.open(member) as source, path.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return path
