"""Makes a packet of its values and files: bound, stamped, listed in a manifest, embedded; one PDF or more, unsigned.

The same values, files, fonts and software give the same bytes: nothing is read from a clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path

from tracker.domain.canonical import digest
from tracker.domain.packet import (
    EmbeddedFile,
    FileState,
    PacketFile,
    PacketPage,
    PacketRecord,
    Volume,
    manifest,
)
from tracker.domain.packet_check.bundle import verifier_source
from tracker.domain.packet_check.content import page_contents
from tracker.domain.packet_parts import KIND_NAMES, NotShownFiles, PacketValues, VerificationPart
from tracker.domain.text import _n
from tracker.reporting.binding import BoundPage, bind
from tracker.reporting.carrier import chunks_of
from tracker.reporting.embed import Embedded
from tracker.reporting.finishing import Identity, finish
from tracker.reporting.fonts import FontSet
from tracker.reporting.packet_pieces import Bundle, Found, Leaf, Piece, PieceMaker, not_shown, volumes_of
from tracker.reporting.press import Press
from tracker.reporting.stamp import StampedPage, Stamps, font_digests, make_stamps
from tracker.reporting.words import Translate

SOFTWARE = ("weasyprint", "pydyf", "pikepdf", "uharfbuzz", "fonttools", "pillow", "pypdfium2")
_STATES = {"missing": FileState.MISSING, "changed": FileState.CHANGED, "sealed": FileState.SEALED}


class Step(StrEnum):
    """What is being done to a packet."""

    DRAW = "draw"
    PRINT = "print"
    BIND = "bind"
    EMBED = "embed"
    SIGN = "sign"


Progress = Callable[[Step, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How packets are made here. `limit` is the size of a volume in bytes, `language` that of the document.

    `signer` names whose signature will be put behind it (empty: nobody's), `timestamped` says whether with the time
    stamp of an authority; `fingerprint` is the SHA-256 of the signer's certificate (hex). `software` is the program
    itself, with its version.
    """

    fonts: FontSet
    translate: Translate
    language: str
    limit: int
    software: str
    sm3: bool = False
    signer: str = ""
    fingerprint: str = ""
    timestamped: bool = False


@dataclass(frozen=True, slots=True)
class Unsigned:
    """The volumes of a packet in their order, the manifest over them all, and how many pages they have."""

    files: tuple[Path, ...]
    manifest: bytes
    pages: int


@dataclass(frozen=True, slots=True)
class _Bound:
    """A volume before it is stamped: its file and its pages, with what each says and the digest of its content."""

    number: int
    path: Path
    leaves: tuple[Leaf, ...]
    sizes: tuple[BoundPage, ...]
    contents: tuple[str, ...]
    files: tuple[str, ...]


def make_packet(
    values: PacketValues,
    found: Mapping[str, Found],
    terms: Terms,
    press: Press,
    *,
    folder: Path,
    progress: Progress,
) -> Unsigned:
    """Write the volumes of a packet into `folder`, which is the caller's to empty, and return them.

    `found` holds every file of the records by digest. Raises `Invalid` for a character that no font has,
    RenderingFailed for a fault of the layout.
    """
    language = terms.language
    maker = PieceMaker(values, found, press=press, translate=terms.translate, language=language, folder=folder)
    verification = _verification(values, found, terms, len(maker.names))
    pieces = maker.pieces(verification, lambda done, total: progress(Step.PRINT, done, total))
    volumes = volumes_of(pieces, terms.limit)
    if len(volumes) > 1:
        last = maker.last(replace(verification, in_volumes=True))
        volumes = volumes_of([*pieces[:-1], last], terms.limit)
    bound = []
    for number, (front, own) in enumerate(zip(maker.fronts(volumes), volumes, strict=True), start=1):
        progress(Step.BIND, number - 1, len(volumes))
        bound.append(_bind(values, number, front, own, terms, folder))
    return _finish(values, found, terms, bound, maker.names, folder, progress)


def _verification(values: PacketValues, found: Mapping[str, Found], terms: Terms, embedded: int) -> VerificationPart:
    title = terms.translate(_n("%(record)s 文件%(file)s"))
    missing: dict[str, list[str]] = {}
    for one in not_shown(values.facts.evidence, found, terms.translate):
        missing.setdefault(one.sentence, []).append(title % {"record": one.evidence, "file": one.file})
    return VerificationPart(
        number=values.facts.number,
        provenance=values.provenance,
        records=len(values.evidence),
        files=embedded,
        handed_in=sum(len(record.files) for record in values.facts.evidence),
        kind=values.facts.kind,
        not_shown=tuple(NotShownFiles(why=why, files=tuple(files)) for why, files in missing.items()),
        signer=terms.signer,
        fingerprint=terms.fingerprint,
        timestamped=terms.timestamped,
        sm3=terms.sm3,
    )


def _bind(
    values: PacketValues, number: int, front: Bundle, pieces: Sequence[Piece], terms: Terms, folder: Path
) -> _Bound:
    bundles = [front, *(bundle for piece in pieces for bundle in piece.bundles)]
    path = folder / f"bound-{number}.pdf"
    facts = values.facts
    sizes = bind(
        [bundle.part for bundle in bundles],
        path,
        title=title_of(values, terms.translate),
        language=terms.language,
        created=facts.as_of,
        identifier=f"{facts.number} {number}",
    )
    return _Bound(
        number,
        path,
        tuple(leaf for bundle in bundles for leaf in bundle.leaves),
        tuple(sizes),
        tuple(page.content for page in page_contents(path)),
        tuple(sha256 for piece in pieces for sha256 in piece.files),
    )


def _finish(
    values: PacketValues,
    found: Mapping[str, Found],
    terms: Terms,
    bound: Sequence[_Bound],
    names: Mapping[str, str],
    folder: Path,
    progress: Progress,
) -> Unsigned:
    """Stamp the pages, write the manifest over all volumes, and embed what belongs into each."""
    facts = values.facts
    total = sum(len(volume.leaves) for volume in bound)
    stamps = make_stamps(
        list(_stamped(values, terms, bound, total)),
        packet=f"{terms.translate(KIND_NAMES[facts.kind])} {facts.number}",
        fonts=terms.fonts,
        translate=terms.translate,
    )
    embedded = {volume.number: [*_embedded(values, found, names, volume, terms.translate)] for volume in bound}
    leaves = [leaf for volume in bound for leaf in volume.leaves]
    contents = [content for volume in bound for content in volume.contents]
    listed = manifest(
        facts,
        evidence=_placed(facts.evidence, found, names, leaves),
        volumes=_volumes(bound),
        files=[_listed(file, number, terms) for number, files in embedded.items() for file in files],
        pages=[
            PacketPage(page=number, part=leaf.name, content=content, stamp=stamp)
            for number, (leaf, content, stamp) in enumerate(zip(leaves, contents, stamps.digests, strict=True), start=1)
        ],
        not_shown=not_shown(facts.evidence, found, terms.translate),
        stamp_fonts=font_digests(stamps),
        software=[terms.software, *(f"{name} {version(name)}" for name in SOFTWARE)],
        fonts=terms.fonts.names,
    )
    files = []
    for volume, own in zip(bound, embedded.values(), strict=True):
        progress(Step.EMBED, volume.number - 1, len(bound))
        target = folder / f"volume-{volume.number}.pdf"
        first = sum(len(each.leaves) for each in bound[: volume.number - 1])
        finish(
            volume.path,
            target,
            stamps=Stamps(stamps.streams[first : first + len(volume.leaves)], stamps.fonts),
            files=[*own, *_sums(listed, own, terms, facts.as_of)],
            identity=Identity(packet=facts.number, volume=volume.number, manifest_sha256=digest(listed)),
        )
        volume.path.unlink()
        files.append(target)
    return Unsigned(tuple(files), listed, total)


def _stamped(values: PacketValues, terms: Terms, bound: Sequence[_Bound], total: int) -> Iterator[StampedPage]:
    """What the stamp of each page says."""
    left = terms.translate(_n("、")).join(values.units[:1])
    if len(values.units) > 1:
        left = terms.translate(_n("%(first)s等%(count)s个单位")) % {"first": left, "count": len(values.units)}
    page = 0
    for volume in bound:
        for place, (leaf, size, content) in enumerate(zip(volume.leaves, volume.sizes, volume.contents, strict=True)):
            page += 1
            yield StampedPage(
                left=f"{left}　{values.period}",
                right=leaf.head,
                number=page,
                total=total,
                code=check_code(content),
                volume=volume.number if len(bound) > 1 else 0,
                is_cover=leaf.name == "front" and place == 0,
                width=size.width,
                height=size.height,
            )


def title_of(values: PacketValues, translate: Translate) -> str:
    """The title of the file: that of the packet, and what kind of document it is."""
    kind = translate(KIND_NAMES[values.facts.kind])
    return translate(_n("%(title)s（%(kind)s）")) % {"title": values.facts.title, "kind": kind}


def check_code(content: str) -> str:
    """The check code of a page: the first 16 digits of its content digest, as they are printed."""
    return " ".join(content[start : start + 4].upper() for start in range(0, 16, 4))


def _embedded(
    values: PacketValues,
    found: Mapping[str, Found],
    names: Mapping[str, str],
    volume: _Bound,
    translate: Translate,
) -> Iterator[Embedded]:
    """The files of a volume: evidence, and in the first one what the whole packet rests on."""
    facts = values.facts
    if volume.number == 1:
        for name, content, kind, description in _foundations(values, translate):
            yield Embedded(
                name=name,
                content=content,
                media_type=kind,
                relationship="Data",
                description=description,
                modified=facts.as_of,
            )
    by_digest = {
        file.sha256: (record, number, file)
        for record in reversed(facts.evidence)
        for number, file in reversed(list(enumerate(record.files, start=1)))
    }
    for sha256 in volume.files:
        record, number, file = by_digest[sha256]
        path = found[sha256].path
        if path is not None:
            yield Embedded(
                name=names[sha256],
                content=path,
                media_type=file.media_type,
                relationship="Source",
                description=translate(_n("佐证 %(record)s 文件%(file)s：%(why)s"))
                % {"record": record.key, "file": number, "why": file.name},
                modified=record.recorded_at,
            )


def _foundations(values: PacketValues, translate: Translate) -> Iterator[tuple[str, bytes, str, str]]:
    """Name, content, kind and description of what lies in every packet beside its evidence."""
    facts = values.facts
    checklist = facts.checklist
    told = translate(_n("责任清单 %(key)s %(version)s")) % {"key": checklist.key, "version": checklist.version}
    yield "checklist.yaml", checklist.source, "application/yaml", told
    for chain in facts.log:
        told = translate(_n("审计日志链 %(chain)s，共 %(n)s 条")) % {"chain": chain.chain, "n": chain.entries}
        yield chain.file, chain.lines, "application/jsonl", told
    told = translate(_n("核验程序：python3 -I verify_packet.py FILE.pdf"))
    yield "verify_packet.py", verifier_source(), "text/x-python", told


def _listed(file: Embedded, volume: int, terms: Terms) -> EmbeddedFile:
    """An embedded file as the manifest lists it."""
    sha256, size = _digest(file.content, "sha256")
    return EmbeddedFile(
        name=file.name,
        sha256=sha256,
        size=size,
        media_type=file.media_type,
        description=file.description,
        volume=volume,
        sm3=_digest(file.content, "sm3")[0] if terms.sm3 else None,
    )


def _digest(content: bytes | Path, algorithm: str) -> tuple[str, int]:
    """The digest (hex) and the size of some bytes, or of those of a file."""
    total = hashlib.new(algorithm)
    size = 0
    for chunk in chunks_of(content):
        total.update(chunk)
        size += len(chunk)
    return total.hexdigest(), size


def _sums(listed: bytes, files: Sequence[Embedded], terms: Terms, embedded_at: datetime) -> Iterator[Embedded]:
    """The manifest, and the lists of digests for `sha256sum -c`."""
    own = Embedded(
        name="manifest.json",
        content=listed,
        media_type="application/json",
        relationship="Data",
        description=terms.translate(_n("本卷清单数据：卷内全部内容及其校验值")),
        modified=embedded_at,
    )
    yield own
    for name, algorithm in (("SHA256SUMS", "sha256"), *([("SM3SUMS", "sm3")] if terms.sm3 else [])):
        lines = sorted(f"{_digest(file.content, algorithm)[0]}  {file.name}\n" for file in (own, *files))
        lines.sort(key=lambda line: line.partition("  ")[2])
        yield Embedded(
            name=name,
            content="".join(lines).encode("ascii"),
            media_type="text/plain",
            relationship="Data",
            description=terms.translate(_n("附件校验值（%(algorithm)s）")) % {"algorithm": algorithm.upper()},
            modified=embedded_at,
        )


def _placed(
    records: Sequence[PacketRecord], found: Mapping[str, Found], names: Mapping[str, str], leaves: Sequence[Leaf]
) -> list[PacketRecord]:
    """The records with what became of their files: the embedded name, and the pages that show them."""
    pages: dict[tuple[str, int], list[int]] = {}
    for page, leaf in enumerate(leaves, start=1):
        if leaf.shown is not None:
            pages.setdefault((leaf.shown.record, leaf.shown.file), []).append(page)

    def placed(record: PacketRecord, number: int, file: PacketFile) -> PacketFile:
        own = pages.get((record.key, number))
        return replace(
            file,
            state=_STATES.get(found[file.sha256].why, FileState.EMBEDDED),
            file=names.get(file.sha256),
            pages=(own[0], own[-1]) if own else None,
        )

    return [
        replace(record, files=tuple(placed(record, n, file) for n, file in enumerate(record.files, start=1)))
        for record in records
    ]


def _volumes(bound: Sequence[_Bound]) -> list[Volume]:
    volumes, before = [], 0
    for volume in bound:
        volumes.append(Volume(number=volume.number, first_page=before + 1, last_page=before + len(volume.leaves)))
        before += len(volume.leaves)
    return volumes
