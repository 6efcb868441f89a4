"""The pieces that a packet is bound of: its parts laid out, the pages of its files, the lines of its contents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pikepdf

from tracker.domain.filename import extension
from tracker.domain.packet import WHY_NOT_SHOWN, NotShown, PacketRecord
from tracker.domain.packet_parts import (
    KIND_NAMES,
    BodyPart,
    ContentsLine,
    EvidencePart,
    FileLine,
    FilePart,
    FrontPart,
    PacketValues,
    PartValues,
    QuarterPart,
    RectificationPart,
    ReportPart,
    StatisticsPart,
    VerificationPart,
)
from tracker.domain.text import _n
from tracker.reporting.binding import Part
from tracker.reporting.plates import Plate, plates
from tracker.reporting.press import Press, Printed
from tracker.reporting.progress import RenderingFailed
from tracker.reporting.sections import Section
from tracker.reporting.words import Translate, one_line, width

_LINES_ON_A_PAGE = 20  # of contents: a first guess, which the layout corrects
_ROUNDS = 8  # two layouts of the contents that bring each other about would never end
_ROOM = 25  # full-width characters for which a running head has room


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of a file: its bytes at `path` (None: nothing to embed), pictures of its first pages (JPEG).

    `pages` is how many it has (0: not known), `why` a key of `WHY_NOT_SHOWN` where they are not all shown, else empty.
    """

    path: Path | None
    pictures: tuple[Path, ...] = ()
    pages: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """Which page of which file of which record a page of the packet shows; `file` counts from 1."""

    record: str
    file: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A page: what it belongs to, what stands at its head, and what it shows of a file."""

    name: str
    head: str
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A part to bind, with its pages."""

    part: Part
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is not torn apart into two volumes. The pages of `lines` are counted from 0 within the piece.

    `files` are the digests of what is embedded with it; `size` is its part of a volume's size, in bytes.
    """

    bundles: tuple[Bundle, ...]
    lines: tuple[ContentsLine, ...] = ()
    files: tuple[str, ...] = ()
    size: int = 0

    @property
    def pages(self) -> int:
        """How many pages it has."""
        return sum(len(bundle.leaves) for bundle in self.bundles)


def embedded_names(records: Sequence[PacketRecord], found: Mapping[str, Found]) -> dict[str, str]:
    """The names of the embedded files by digest: the same bytes lie in a packet once, under their first name."""
    names: dict[str, str] = {}
    for record in records:
        for number, file in enumerate(record.files, start=1):
            if found[file.sha256].path is not None:
                names.setdefault(file.sha256, f"{record.key}-{number}.{_ending(file.name)}")
    return names


def first_places(records: Sequence[PacketRecord]) -> dict[str, tuple[str, int]]:
    """The record and the position (from 1) under which the bytes of each digest are told of first."""
    places: dict[str, tuple[str, int]] = {}
    for record in records:
        for number, file in enumerate(record.files, start=1):
            places.setdefault(file.sha256, (record.key, number))
    return places


def _ending(name: str) -> str:
    """The extension for an embedded name, which is ASCII."""
    ending = extension(name)
    return ending if ending.isascii() and ending.isalnum() else "bin"


def not_shown(records: Sequence[PacketRecord], found: Mapping[str, Found], translate: Translate) -> list[NotShown]:
    """The files that are not shown as pages, or not in full, in the order of the packet."""
    return [
        NotShown(evidence=record.key, file=number, why=why, sentence=translate(WHY_NOT_SHOWN[why]))
        for record in records
        for number, file in enumerate(record.files, start=1)
        if (why := found[file.sha256].why)
    ]


class PieceMaker:
    """Lays the parts of one packet out on a press, and makes plates of the pictures of its files in `folder`."""

    def __init__(
        self,
        values: PacketValues,
        found: Mapping[str, Found],
        *,
        press: Press,
        translate: Translate,
        language: str,
        folder: Path,
    ) -> None:
        self.values = values
        self.found = found
        self.press = press
        self.translate = translate
        self.language = language
        self.folder = folder
        self.names = embedded_names(values.facts.evidence, found)
        self.first = first_places(values.facts.evidence)

    def pieces(self, verification: VerificationPart, progress: Callable[[int, int], None]) -> list[Piece]:
        """The pieces of the packet in their order, all but the covers."""
        values = self.values
        evidence = [self._with_files(*pair) for pair in zip(values.evidence, values.facts.evidence, strict=True)]
        instead = [[*self._instead(*pair)] for pair in zip(evidence, values.facts.evidence, strict=True)]
        parts: list[PartValues] = [*values.body]
        for part, others in zip(evidence, instead, strict=True):
            parts += [part, *others]
        parts.append(verification)
        printed = iter(self.press.print([Section(part, self.language) for part in parts], progress))
        body = [self._body(number, part, next(printed)) for number, part in enumerate(values.body, start=1)]
        records = zip(evidence, values.facts.evidence, strict=True)
        shown = [
            self._record(*pair, next(printed), [next(printed) for _ in instead[n]], is_first=not n)
            for n, pair in enumerate(records)
        ]
        return [*body, *shown, self._last(next(printed))]

    def last(self, verification: VerificationPart) -> Piece:
        """The page of verification, laid out anew."""
        [printed] = self.press.print([Section(verification, self.language)])
        return self._last(printed)

    def _last(self, printed: Printed) -> Piece:
        return _plain("verification", self.translate(_n("核验说明")), printed)

    def fronts(self, volumes: Sequence[Sequence[Piece]]) -> list[Bundle]:
        """The cover and contents of each volume; the first volume lists what stands in all of them.

        Raises RenderingFailed where no numbers of pages can be found that the contents themselves do not change.
        """
        pages = [1 + -(-len(lines) // _LINES_ON_A_PAGE) for lines in self._contents(volumes, [1] * len(volumes))]
        for _ in range(_ROUNDS):
            contents = self._contents(volumes, pages)
            sections = [Section(self._front(n, len(volumes), lines), self.language) for n, lines in enumerate(contents)]
            printed = self.press.print(sections)
            if [each.pages for each in printed] == pages:
                break
            pages = [each.pages for each in printed]
        else:
            raise RenderingFailed(f"the contents of {self.values.facts.number} come out differently every time")
        title = self.values.facts.title
        return [
            Bundle(
                Part(pdf=each.path, anchor=f"front-{number}", title=title),
                tuple(Leaf("front", "" if not page else self.translate(_n("目录"))) for page in range(each.pages)),
            )
            for number, each in enumerate(printed, start=1)
        ]

    def _front(self, number: int, volumes: int, contents: tuple[ContentsLine, ...]) -> FrontPart:
        values, facts = self.values, self.values.facts
        checks = [part.report.facts for part in values.body if isinstance(part, ReportPart)]
        return FrontPart(
            title=facts.title,
            number=facts.number,
            units=values.units,
            period=values.period,
            issuer=values.issuer,
            as_of=facts.as_of,
            inspection=facts.inspection or "",
            volume=number + 1,
            volumes=volumes,
            contents=contents,
            kind=self.translate(KIND_NAMES[facts.kind]),
            is_open=any(check.open_as_of is not None for check in checks),
            judged=sum(check.judged for check in checks),
            sampled=sum(check.sampled for check in checks),
        )

    def _contents(self, volumes: Sequence[Sequence[Piece]], fronts: Sequence[int]) -> list[tuple[ContentsLine, ...]]:
        """The lines of each volume's contents, with the pages that they come to lie on."""
        before, own, all_lines = 1, [], []
        for pieces, front in zip(volumes, fronts, strict=True):
            before += front
            lines = []
            for piece in pieces:
                lines += [replace(line, page=before + line.page) for line in piece.lines]
                before += piece.pages
            own.append(tuple(lines))
            all_lines += lines if len(own) == 1 else [replace(line, anchor="", volume=len(own)) for line in lines]
        return [tuple(all_lines), *own[1:]]

    def _body(self, number: int, part: BodyPart, printed: Printed) -> Piece:
        anchor = f"part-{number}"
        title = (
            self.translate(_title_of(part)) if not isinstance(part, ReportPart) or not part.heading else part.heading
        )
        piece = _plain(anchor, title, printed)
        if isinstance(part, RectificationPart | QuarterPart) or (isinstance(part, ReportPart) and part.heading):
            return piece
        inner = [
            ContentsLine(title=heading, depth=2, page=page, anchor=f"{anchor}+{page}")
            for heading, page in _headings(printed.path, title)
        ]
        return replace(piece, lines=(*piece.lines, *inner))

    def _with_files(self, part: EvidencePart, record: PacketRecord) -> EvidencePart:
        files = enumerate(record.files, start=1)
        return replace(
            part,
            files=tuple(self._file_line((record.key, n), file.name, file.size, file.sha256) for n, file in files),
        )

    def _file_line(self, place: tuple[str, int], name: str, size: int, sha256: str) -> FileLine:
        found = self.found[sha256]
        first = self.first[sha256]
        return FileLine(
            name=name,
            size=size,
            sha256=sha256,
            attached_as=self.names.get(sha256, ""),
            pages=found.pages,
            shown_pages=len(found.pictures),
            why=self.translate(WHY_NOT_SHOWN[found.why]) if found.why else "",
            same_as="" if place == first else self._file_title(*first),
        )

    def _file_title(self, record: str, number: int) -> str:
        return self.translate(_n("佐证 %(record)s 文件%(file)s")) % {"record": record, "file": number}

    def _instead(self, part: EvidencePart, record: PacketRecord) -> Iterator[FilePart]:
        """The pages that stand for the files of a record, or the rest of them, that are not shown."""
        for number, (line, file) in enumerate(zip(part.files, record.files, strict=True), start=1):
            if line.why:
                yield FilePart(title=self._file_title(record.key, number), file=line, media_type=file.media_type)

    def _record(
        self,
        part: EvidencePart,
        record: PacketRecord,
        printed: Printed,
        instead: Sequence[Printed],
        *,
        is_first: bool,
    ) -> Piece:
        """The page of a record and the pages of its files; `instead` are those of files that are not shown."""
        head = self.translate(_n("佐证 %(number)s")) % {"number": record.key}
        title = self._record_title(part)
        anchor = f"evidence-{record.key}"
        own = Part(pdf=printed.path, anchor=anchor, title=title, depth=1)
        bundles = [Bundle(own, (Leaf(anchor, head),) * printed.pages), *self._files(record, head, iter(instead))]
        lines = [ContentsLine(title=title, depth=2, page=0, anchor=anchor)]
        if is_first:
            above = self.translate(_n("佐证材料"))
            lines.insert(0, ContentsLine(title=above, depth=1, page=0, anchor=anchor))
            bundles[0] = replace(bundles[0], part=replace(own, above=above))
        fresh = [file.sha256 for file in record.files if self.names.get(file.sha256, "").startswith(f"{record.key}-")]
        files = tuple(dict.fromkeys(fresh))
        size = sum(bundle.part.pdf.stat().st_size for bundle in bundles) + sum(
            path.stat().st_size for sha256 in files if (path := self.found[sha256].path)
        )
        return Piece(tuple(bundles), tuple(lines), files, size)

    def _record_title(self, part: EvidencePart) -> str:
        """What the contents call a record: its number, the organization, the items of the duties that it serves."""
        organization = part.entry.organization
        if len(self.values.units) == 1:  # which every page names
            organization = organization.removeprefix(self.values.units[0]) or organization
        items = dict.fromkeys(duty.title for duty in part.duties)
        return "　".join(filter(None, (part.record, organization, self.translate(_n("、")).join(items))))

    def _files(self, record: PacketRecord, head: str, instead: Iterator[Printed]) -> Iterator[Bundle]:
        """The pages of the files of a record, in their order: pictures of pages, then what stands for the rest."""
        for number, file in enumerate(record.files, start=1):
            found = self.found[file.sha256]
            name = f"{record.key}-{number}"
            title = self.translate(_n("文件%(number)s：%(name)s")) % {"number": number, "name": file.name}
            if found.pictures:
                yield self._plates(record, number, Part(pdf=self._path(name), anchor=name, title=title, depth=2), head)
            if found.why:
                printed = next(instead)
                leaf = Leaf(f"evidence-{record.key}", self._head(head, number, file.name))
                part = Part(pdf=printed.path, anchor=f"{name}-not-shown", title=title, depth=2)
                yield Bundle(part, (leaf,) * printed.pages)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.plates.pdf"

    def _head(self, head: str, number: int, name: str, place: str = "") -> str:
        """What stands at the head of a page of a file: where there is not room for all, the name is cut."""
        before = f"{head}　" + self.translate(_n("文件%(number)s")) % {"number": number}
        behind = f"　{place}" if place else ""
        return f"{before} {one_line(name, max(_ROOM - (width(before + behind) + 1) // 2, 2))}{behind}"

    def _plates(self, record: PacketRecord, number: int, part: Part, head: str) -> Bundle:
        """The pictures of the pages of one file."""
        file = record.files[number - 1]
        found = self.found[file.sha256]
        pictures, leaves = [], []
        for page, picture in enumerate(found.pictures, start=1):
            place = self.translate(_n("第%(page)s/%(pages)s页")) % {"page": page, "pages": found.pages}
            own = self._head(head, number, file.name, place)
            pictures.append(Plate(jpeg=picture, alt=f"{file.name}　{place}"))
            leaves.append(Leaf(f"evidence-{record.key}", own, Shown(record.key, number)))
        plates(pictures, part.pdf)
        return Bundle(part, tuple(leaves))


_TITLES: dict[type[BodyPart], str] = {
    ReportPart: _n("督查报告"),
    QuarterPart: _n("季度履责情况"),
    RectificationPart: _n("整改情况"),
    StatisticsPart: _n("总体情况"),
}


def _title_of(part: BodyPart) -> str:
    return _TITLES[type(part)]


def _plain(anchor: str, title: str, printed: Printed) -> Piece:
    """A piece of one laid-out part and nothing else."""
    part = Part(pdf=printed.path, anchor=anchor, title=title)
    line = ContentsLine(title=title, depth=1, page=0, anchor=anchor)
    return Piece((Bundle(part, (Leaf(anchor, title),) * printed.pages),), (line,), (), printed.path.stat().st_size)


def _headings(path: Path, title: str) -> Iterator[tuple[str, int]]:
    """The first order of bookmarks of a laid-out part: title, and page from 0; one that repeats `title` is no order."""
    with pikepdf.open(path) as pdf:
        place = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}
        with pdf.open_outline() as outline:
            items = list(outline.root)
            if [item.title for item in items] == [title]:
                items = list(items[0].children)
            for item in items:
                if item.obj is not None:
                    yield item.title, place[item.obj.Dest[0].objgen]


def volumes_of(pieces: Sequence[Piece], limit: int) -> list[list[Piece]]:
    """Fill volumes of at most `limit` bytes with the pieces in their order; a larger piece has one of its own."""
    volumes: list[list[Piece]] = [[]]
    size = 0
    for piece in pieces:
        if volumes[-1] and size + piece.size > limit:
            volumes.append([])
            size = 0
        volumes[-1].append(piece)
        size += piece.size
    return volumes
