"""The check of an audit packet, whole: from the paths of its volumes to a result in words."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tracker.domain.packet_check.files import (
    checklist_check,
    files_check,
    manifest_faults,
    sums_check,
    whole_file_check,
)
from tracker.domain.packet_check.log import log_check
from tracker.domain.packet_check.manifest import LARGEST_MANIFEST, Members, read_manifest
from tracker.domain.packet_check.pages import (
    annotations_check,
    pages_check,
    read_pages,
    readable_check,
    stamps_check,
)
from tracker.domain.packet_check.parser import Damaged
from tracker.domain.packet_check.reader import opened
from tracker.domain.packet_check.result import (
    CHECKS,
    Check,
    Faults,
    Result,
    checked,
    damage,
    gathered,
    grouped,
    not_checked,
    say,
)
from tracker.domain.packet_check.safety import (
    active_check,
    archive_check,
    document_check,
    encryption_check,
    fonts_check,
    is_encrypted,
    revisions_check,
    sealed_check,
    signature_check,
    signatures,
    validity_check,
    walk,
)
from tracker.domain.packet_check.sign_offs import contents_check, sentences_check, sign_offs_check
from tracker.domain.packet_check.volume import MANIFEST, Packet, Volume, hash_file, is_packet, read_volume
from tracker.domain.text import _n


def check_packet(paths: Sequence[Path]) -> Result:
    """Check one or several volumes of a packet. Raises OSError where a file cannot be opened."""
    with ExitStack() as stack:
        volumes, structure, encryption = _open(paths, stack)
        checks = [structure, *encryption]
        if volumes:
            checks += _of_volumes(volumes)
            manifest, check = _read_manifests(volumes)
            checks.append(check)
            if manifest is not None:
                checks += _of_packet(volumes, manifest)
        return Result(grouped(_completed(checks)), _number_of(volumes), _are_signed(volumes))


def _open(paths: Sequence[Path], stack: ExitStack) -> tuple[list[Volume], Check, list[Check]]:
    """The volumes that can be read, in the order of their numbers, and what is wrong with the others."""
    volumes, faults, encrypted = [], [], 0
    for path in paths:
        try:
            reader = stack.enter_context(opened(path))
            if is_encrypted(reader):
                encrypted += 1
                faults.append(say(_n("文件 %(file)s 加了密，无法核验。"), file=path.name))
                continue
            volume = read_volume(reader)
            if is_packet(volume):
                volumes.append(volume)
            else:
                faults.append(say(_n("文件 %(file)s 不是督查卷，或者已经严重损坏。"), file=path.name))
        except Damaged as found:
            text = _n("文件 %(file)s 不是完好的 PDF：%(why)s")
            faults.append(say(text, file=path.name, why=damage(found)))
    volumes.sort(key=lambda volume: volume.number)
    return volumes, checked("structure", faults), [encryption_check(encrypted)] if volumes or encrypted else []


def _of_volumes(volumes: list[Volume]) -> list[Check]:
    """The checks for which no manifest is needed."""
    walked = [walk(volume) for volume in volumes]
    return [
        whole_file_check(volumes),
        active_check(walked),
        fonts_check(walked),
        archive_check(volumes),
        document_check(volumes),
        _or_damaged("revisions", lambda: revisions_check(volumes)),
        _or_damaged("signature", lambda: signature_check(volumes)),
        _or_damaged("validity", lambda: validity_check(volumes)),
        _extracted_check(volumes),
    ]


def _read_manifests(volumes: list[Volume]) -> tuple[Members | None, Check]:
    """The manifest of the packet, if it can be used, and the check of what every volume has of it."""
    manifest: Members | None = None
    faults = Faults()
    for volume in volumes:
        try:
            data = volume.content(MANIFEST, LARGEST_MANIFEST)
        except KeyError:
            faults.add([say(_n("第 %(volume)s 册里没有 manifest.json。"), volume=volume.number)])
            continue
        except Damaged as found:
            faults.add([damage(found)])
            continue
        faults.add(manifest_faults(volume, data))
        if manifest is None:
            manifest, wrong = read_manifest(data)
            faults.add(wrong)
    return manifest, checked("manifest", faults)


def _of_packet(volumes: list[Volume], manifest: Members) -> list[Check]:
    """The checks against the manifest."""
    packet = Packet({volume.number: volume for volume in volumes}, manifest)
    for volume in volumes:
        volume.wants_sm3 = any("sm3" in file for file in manifest["files"])
    seen = {number: read_pages(packet, number) for number in packet.volumes}
    sealed = Faults()
    return [
        _volumes_check(volumes, packet),
        files_check(packet),
        sums_check(packet),
        pages_check(packet, seen),
        stamps_check(seen),
        annotations_check(seen),
        readable_check(seen),
        sign_offs_check(packet),
        contents_check(packet),
        sentences_check(packet),
        checklist_check(packet),
        log_check(packet, sealed),
        sealed_check(packet, sealed),
        _shown_check(packet),
    ]


def _volumes_check(volumes: list[Volume], packet: Packet) -> Check:
    """Whether the volumes belong together and none is missing."""
    number = packet.manifest["packet"]["number"]
    wanted = {volume["number"] for volume in packet.manifest["volumes"]}
    given = [volume.number for volume in volumes]
    faults = [
        say(_n("第 %(volume)s 册的卷号与清单的卷号 %(packet)s 不同。"), volume=volume.number, packet=number)
        for volume in volumes
        if volume.marks.get("TrkPacket") != number
    ]
    text = _n("第 %(volume)s 册的清单与第 %(first)s 册的不同：它们不是同一次成卷的。")
    faults += [
        say(text, volume=volume.number, first=given[0])
        for volume in volumes
        if volume.marks.get("TrkManifest") != volumes[0].marks.get("TrkManifest")
    ]
    faults += [say(_n("第 %(volume)s 册不在清单中。"), volume=found) for found in given if found not in wanted]
    faults += [say(_n("第 %(volume)s 册给了不止一次。"), volume=n) for n in sorted(set(given)) if given.count(n) > 1]
    missing = sorted(wanted - set(given))
    if not missing or faults:
        return checked("volumes", faults)
    told = say(
        _n("只核验了 %(wanted)s 册中的 %(given)s 册，其余各册没有提供。"),
        wanted=len(wanted),
        given=len(given),
    )
    text = _n("没有提供第 %(volume)s 册，其中的页和文件没有核验。")
    return not_checked("volumes", told, *(say(text, volume=found) for found in missing))


def _extracted_check(volumes: list[Volume]) -> Check:
    """Whether the bytes of every embedded file can be had."""
    faults = []
    for volume in volumes:
        for name in sorted(volume.attachments):
            try:
                hash_file(volume, name)
            except Damaged as found:
                faults.append(say(_n("嵌入文件 %(file)s 无法取出：%(why)s"), file=name, why=damage(found)))
    return checked("extracted", faults)


def _shown_check(packet: Packet) -> Check:
    """What could not be shown as pages; the packet says so itself."""
    text = _n("佐证 %(evidence)s 的第 %(number)s 个文件没有逐页显示，或者没有全部显示：%(why)s")
    notes = gathered(
        say(text, evidence=entry["evidence"], number=entry["file"], why=entry["sentence"])
        for entry in packet.manifest["not_shown"]
    )
    if not notes.kept:
        notes.add([say(_n("所附的文件都已逐页显示。"))])
    return checked("shown", (), notes)


def _or_damaged(key: str, make: Callable[[], Check]) -> Check:
    """The check, or that it failed because the file is damaged there."""
    try:
        return make()
    except Damaged as found:
        return checked(key, [damage(found)])


def _completed(checks: list[Check]) -> list[Check]:
    """All checks; those that could not be made say so."""
    made = {check.key for check in checks}
    why = say(_n("文件或者清单无法使用，这一项没有核验。"))
    return checks + [not_checked(key, why) for table in CHECKS.values() for key in table if key not in made]


def _number_of(volumes: list[Volume]) -> str:
    return volumes[0].marks.get("TrkPacket", "") if volumes else ""


def _are_signed(volumes: list[Volume]) -> bool:
    try:
        return bool(volumes) and all(signatures(volume.reader) for volume in volumes)
    except Damaged:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Check the files that are named and print the result: 0 all is right, 1 it is not or not all, 2 wrong use."""
    parser = argparse.ArgumentParser(
        description="核验督查卷（PDF）：不需要网络、账号和本系统，只需要 Python。",
        epilog="退出码：0 没有发现问题；1 发现问题，或者缺册；2 用法不对或者文件打不开。",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.pdf", help="督查卷；分册的，把各册一起给出")
    parser.add_argument("--json", action="store_true", help="输出 JSON")
    options = parser.parse_args(argv)
    try:
        result = check_packet(options.files)
    except OSError as problem:
        sys.stderr.write(f"打不开文件：{problem}\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps(result.as_json(), ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in result.lines())
    return 0 if result.passed else 1
