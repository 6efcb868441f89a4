"""Checks of what is embedded: every file is there, is what the manifest says, and none was added."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracker.domain.packet_check.manifest import Members, digest_of
from tracker.domain.packet_check.parser import Damaged
from tracker.domain.packet_check.result import Check, Sentence, checked, damage, not_checked, say
from tracker.domain.packet_check.volume import (
    MANIFEST,
    SHA256SUMS,
    SM3SUMS,
    UNLISTED,
    Packet,
    Volume,
    first_revision_digest,
    has_sm3,
    hash_file,
)
from tracker.domain.text import _n

LARGEST_SUMS = 20_000_000  # bytes of SHA256SUMS or SM3SUMS
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)")


def whole_file_check(volumes: list[Volume]) -> Check:
    """Whether the first revision of every volume is, byte for byte, what it was when it was made."""
    faults = []
    for volume in volumes:
        found = first_revision_digest(volume.reader)
        if found is None:
            faults.append(say(_n("文件尾部没有全卷校验值（TrkDigest）：它被删去或者改动。")))
        elif found[0] != found[1]:
            text = _n("第 %(volume)s 册的全卷校验值不符：成卷之后有字节被改动、删去或者加入。")
            faults.append(say(text, volume=volume.number))
    return checked("whole_file", faults)


def files_check(packet: Packet) -> Check:
    """Whether the embedded files are those of the manifest."""
    faults = (fault for number in packet.volumes for fault in _files_of(packet, number))
    wants_sm3 = any("sm3" in file for file in packet.manifest["files"])
    notes = (say(_n("这台机器的 Python 没有 SM3，只核对了 SHA-256。")),) if wants_sm3 and not has_sm3() else ()
    return checked("files", faults, notes)


def _files_of(packet: Packet, number: int) -> Iterator[Sentence]:
    volume, listed = packet.volumes[number], packet.files_of(number)
    yield from volume.faults
    for name in sorted(listed.keys() - volume.attachments.keys()):
        yield say(_n("缺少嵌入文件 %(file)s。"), file=name)
    for name in sorted(volume.attachments.keys() - listed.keys() - UNLISTED.keys()):
        yield say(_n("嵌入文件 %(file)s 不在清单中，是后加的。"), file=name)
    for name in sorted(volume.attachments.keys() & UNLISTED.keys()):
        if volume.attachments[name].media_type != UNLISTED[name]:
            yield say(_n("嵌入文件 %(file)s 自称的类型或者大小与清单不符。"), file=name)
    names = {file["sha256"]: name for name, file in listed.items()}
    for name in sorted(listed.keys() & volume.attachments.keys()):
        yield from _file(volume, listed[name], names)


def _file(volume: Volume, listed: Members, names: dict[str, str]) -> Iterator[Sentence]:
    name = listed["name"]
    try:
        found = hash_file(volume, name)
    except Damaged as broken:
        yield say(_n("嵌入文件 %(file)s 无法取出：%(why)s"), file=name, why=damage(broken))
        return
    if found.sha256 in names and found.sha256 != listed["sha256"]:
        yield say(_n("嵌入文件 %(file)s 的内容被换成了 %(other)s 的内容。"), file=name, other=names[found.sha256])
    elif found.size != listed["size"]:
        text = _n("嵌入文件 %(file)s 的内容被改动：大小不是清单所列的 %(size)s 字节。")
        yield say(text, file=name, size=listed["size"])
    elif found.sha256 != listed["sha256"]:
        yield say(_n("嵌入文件 %(file)s 的内容被改动：SHA-256 与清单不符。"), file=name)
    elif found.sm3 not in {None, listed.get("sm3")}:
        yield say(_n("嵌入文件 %(file)s 的 SM3 与清单不符。"), file=name)
    attachment = volume.attachments[name]
    if attachment.description != listed["description"]:
        yield say(_n("嵌入文件 %(file)s 的说明被改动。"), file=name)
    if (attachment.media_type, attachment.size) != (listed["media_type"], found.size):
        yield say(_n("嵌入文件 %(file)s 自称的类型或者大小与清单不符。"), file=name)


def sums_check(packet: Packet) -> Check:
    """Whether SHA256SUMS and SM3SUMS say the same as the manifest."""
    faults = (fault for number in packet.volumes for fault in _sums_of(packet, number))
    return checked("sums", faults)


def _sums_of(packet: Packet, number: int) -> Iterator[Sentence]:
    volume, listed = packet.volumes[number], packet.files_of(number)
    wanted = {name: file["sha256"] for name, file in listed.items()}
    wanted[MANIFEST] = volume.marks.get("TrkManifest", "")
    yield from _sums(volume, SHA256SUMS, wanted)
    if SM3SUMS in volume.attachments or any("sm3" in file for file in listed.values()):
        wanted = {name: file.get("sm3", "") for name, file in listed.items()}
        yield from _sums(volume, SM3SUMS, {**wanted, **_sm3_of_manifest(volume)})


def _sm3_of_manifest(volume: Volume) -> dict[str, str]:
    """The SM3 of manifest.json, which stands nowhere else; empty where it cannot be made."""
    if MANIFEST not in volume.attachments:
        return {MANIFEST: ""}
    return {MANIFEST: hash_file(volume, MANIFEST).sm3 or ""}


def _sums(volume: Volume, sums: str, wanted: dict[str, str]) -> Iterator[Sentence]:
    """What differs between a list of digests and what it should say; where no digest is known, any will do."""
    if sums not in volume.attachments:
        yield say(_n("缺少嵌入文件 %(file)s。"), file=sums)
        return
    try:
        text = volume.content(sums, LARGEST_SUMS).decode("ascii")
    except (Damaged, UnicodeDecodeError):
        yield say(_n("%(sums)s 无法读取，或者不是规定的写法。"), sums=sums)
        return
    lines = [_LINE.fullmatch(line) for line in text.splitlines()]
    found = {line[2]: line[1] for line in lines if line}
    if None in lines or text != "".join(f"{found[name]}  {name}\n" for name in sorted(found)):
        yield say(_n("%(sums)s 的写法或者次序被改动。"), sums=sums)
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            yield say(_n("%(sums)s 里少了 %(file)s。"), sums=sums, file=name)
        elif name not in wanted:
            yield say(_n("%(sums)s 里多了 %(file)s。"), sums=sums, file=name)
        elif found[name] != wanted[name] and wanted[name]:
            yield say(_n("%(sums)s 里 %(file)s 的校验值与清单不符。"), sums=sums, file=name)


def checklist_check(packet: Packet) -> Check:
    """Whether the checklist that lies in the packet is the published one."""
    checklist = packet.manifest["checklist"]
    volume = packet.holder_of(checklist["file"])
    if volume is None:
        where = {file["volume"] for file in packet.manifest["files"] if file["name"] == checklist["file"]}
        if where and not where & packet.volumes.keys():
            return not_checked("checklist", say(_n("它在没有提供的一册里。")))
        return checked("checklist", [say(_n("缺少责任清单原文 %(file)s。"), file=checklist["file"])])
    try:
        found = hash_file(volume, checklist["file"]).sha256
    except Damaged as broken:
        return checked("checklist", [damage(broken)])
    fault = say(_n("责任清单原文 %(file)s 不是发布的那一份：校验值不符。"), file=checklist["file"])
    return checked("checklist", [fault] if found != checklist["sha256"] else [])


def manifest_faults(volume: Volume, data: bytes) -> Iterator[Sentence]:
    """Whether a volume's manifest is the one that its trailer names."""
    if digest_of(data) != volume.marks.get("TrkManifest"):
        yield say(_n("第 %(volume)s 册的 manifest.json 被改动：与文件尾部的 TrkManifest 不符。"), volume=volume.number)
