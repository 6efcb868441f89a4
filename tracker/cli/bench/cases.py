"""The demands on speed, one function for each: what is measured, the floor of the same run, the ratio that is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import median

import pikepdf

from tracker.cli.bench.content import book, packet, unit_report
from tracker.cli.bench.evidence import given
from tracker.cli.bench.floors import Floors, parts_of
from tracker.cli.bench.folder import Bench
from tracker.cli.bench.measure import Run
from tracker.domain.packet_parts import PartValues
from tracker.storage.blobs import BlobStore

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A measurement against a demand: `ours` and `floor` in `unit`; `ratio` shall be at most (or at least) `demand`."""

    case: int
    what: str
    unit: str
    ours: float
    floor: float
    demand: float
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours in shares of the floor; turned over where more is better."""
        return self.floor / self.ours if self.at_least else self.ours / self.floor

    @property
    def is_met(self) -> bool:
        """Whether the demand is met."""
        return self.ratio >= self.demand if self.at_least else self.ratio <= self.demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is printed: a book and what changes in it, unit reports, files of evidence, the two books of growth."""

    units: int = 100
    changed: int = 3
    reports: int = 10
    photos: int = 40
    pdfs: int = 20
    records: int = 5
    short: int = 37
    long: int = 370


QUICK = Sizes(units=10, changed=1, reports=3, photos=4, pdfs=2, records=1, short=2, long=10)


@dataclass
class Course:
    """One run of the bench: the folder, the other engines, the sizes, and how often a pair is measured."""

    bench: Bench
    sizes: Sizes
    rounds: int
    floors: Floors = field(init=False)

    def __post_init__(self) -> None:
        self.floors = Floors(self.bench)

    @cached_property
    def parts(self) -> list[PartValues]:
        """What the book prints."""
        return parts_of(book(self.sizes.units))

    @cached_property
    def pairs(self) -> list[tuple[Run, Run]]:
        """The book made with an empty cache, by us and by Chromium in turn."""
        return [(self._made(), self.floors.chromium("book", self.parts)) for _ in range(self.rounds)]

    @cached_property
    def cold(self) -> list[Run]:
        """The book made with an empty cache; measured anew unless it was already."""
        pairs = self.__dict__.get("pairs")
        return [ours for ours, _ in pairs] if pairs else [self._made() for _ in range(self.rounds)]

    def _made(self) -> Run:
        return self.bench.make("book", book(self.sizes.units), cold=True)


def city_book(course: Course) -> Iterator[Result]:
    """A book of all units, cold, against Chromium: time, and memory of all processes together."""
    ours, floor = zip(*course.pairs, strict=True)
    note = f"{ours[0].told['pages']} pages"
    yield Result(
        case=1, what="city book, cold : Chromium", unit="s", ours=_wall(ours), floor=_wall(floor), demand=0.6, note=note
    )
    held, theirs = (median(run.peak for run in runs) / MEGABYTE for runs in (ours, floor))
    yield Result(case=1, what="its memory : Chromium's", unit="MB", ours=held, floor=theirs, demand=0.25)


def naive_book(course: Course) -> Iterator[Result]:
    """The same book against WeasyPrint as it comes, cold and warm."""
    ours = course.cold
    floor = course.floors.weasyprint("book", course.parts, naive=True)
    warm = [course.bench.make("book", book(course.sizes.units), cold=False) for _ in range(course.rounds)]
    what = "naive WeasyPrint : city book"
    yield Result(case=2, what=f"{what}, cold", unit="s", ours=_wall(ours), floor=floor.seconds, demand=4, at_least=True)
    yield Result(
        case=2, what=f"{what}, warm", unit="s", ours=_work(warm), floor=floor.seconds, demand=30, at_least=True
    )


def changed_book(course: Course) -> Iterator[Result]:
    """The same book with some units changed, signed, against its own cold time and against Typst for the whole book."""
    sizes, cold = course.sizes, course.cold
    course.bench.make("book", book(sizes.units), cold=False)
    ours, floor = [], []
    for edition in range(1, course.rounds + 1):
        values = book(sizes.units, changed=sizes.changed, edition=edition)
        ours.append(course.bench.make("book", values, cold=False, signed=True))
        floor.append(course.floors.typst("book", course.parts).told["call"])
    what = f"{sizes.changed} of {sizes.units} units changed, signed"
    yield Result(case=3, what=f"{what} : cold", unit="s", ours=_work(ours), floor=_work(cold), demand=0.12)
    yield Result(case=3, what=f"{what} : Typst, whole", unit="s", ours=_work(ours), floor=median(floor), demand=0.5)


def unit_reports(course: Course) -> Iterator[Result]:
    """One report after the other in a warm worker, against Typst's call for each, in a process of its own."""
    reports = [unit_report(number) for number in range(course.sizes.reports)]
    ours = course.bench.reports(reports)
    floor = [course.floors.typst("unit", [report]).told["call"] for report in reports]
    note = f"{ours.told['pages']} pages"
    calls = median(ours.told["calls"][1:])
    what = "unit report, warm worker : Typst's call"
    yield Result(case=4, what=what, unit="s", ours=calls, floor=median(floor), demand=2, note=note)


def evidence_packet(course: Course) -> Iterator[Result]:
    """A packet with photographs and PDFs, cold, against Chromium for our pages and a merge by qpdf of the PDFs."""
    sizes, root = course.sizes, course.bench.root
    found = given(BlobStore(root / "evidence"), photos=sizes.photos, pdfs=sizes.pdfs, records=sizes.records)
    values = packet(found.records)
    ours, floor = [], []
    for _ in range(course.rounds):
        ours.append(course.bench.make("packet", values, cold=True))
        printed = course.floors.chromium("packet", parts_of(values), pictures=found.photos)
        floor.append(printed.seconds + course.floors.merge("packet", found.pdfs).seconds)
    note = f"{ours[0].told['pages']} pages, {sizes.photos} photographs, {sizes.pdfs} PDFs"
    what = "packet with evidence, cold : Chromium + qpdf"
    yield Result(case=5, what=what, unit="s", ours=_wall(ours), floor=median(floor), demand=1.2, note=note)


def growth(course: Course) -> Iterator[Result]:
    """A book ten times as long: time of a page, memory of a worker, memory of the assembler for each page more."""
    short, long = (
        [course.bench.make("growth", book(units), cold=True)] for units in (course.sizes.short, course.sizes.long)
    )
    pages = [runs[0].told["pages"] for runs in (short, long)]
    note = f"{pages[0]} and {pages[1]} pages"
    each = [1000 * _work(runs) / count for runs, count in zip((short, long), pages, strict=True)]
    yield Result(
        case=6,
        what="a page of a long book : of a short one",
        unit="ms",
        ours=each[1],
        floor=each[0],
        demand=1.1,
        note=note,
    )
    worker = long[0].child / MEGABYTE
    yield Result(case=6, what="a worker's memory : 250 MB", unit="MB", ours=worker, floor=250, demand=1)
    grown = (long[0].parent - short[0].parent) / MEGABYTE / (pages[1] - pages[0])
    yield Result(case=6, what="the assembler's memory for a page : 0.3 MB", unit="MB", ours=grown, floor=0.3, demand=1)


def file_size(course: Course) -> Iterator[Result]:
    """The size of a book against its embedded files and the same content from one pass."""
    values = book(course.sizes.short)
    made = course.bench.make("size", values, cold=True).told["size"]
    whole = course.floors.weasyprint("size", parts_of(values), naive=False).told["size"]
    floor = whole + _embedded(course.bench.packet("size"))
    yield Result(
        case=7,
        what="size : embedded files + one pass",
        unit="MB",
        ours=made / MEGABYTE,
        floor=floor / MEGABYTE,
        demand=1.02,
    )


def _embedded(path: Path) -> int:
    """The bytes of all files that are embedded in a PDF."""
    with pikepdf.open(os.fspath(path)) as pdf:
        return sum(len(spec.get_file().read_bytes()) for spec in pdf.attachments.values())


def _wall(runs: Sequence[Run]) -> float:
    return median(run.seconds for run in runs)


def _work(runs: Sequence[Run]) -> float:
    """The seconds from when the program is loaded."""
    return float(median(run.told["work"] for run in runs))


@dataclass(frozen=True, slots=True)
class Case:
    """A case by its number: how it is measured, and which engines it needs."""

    measure: Callable[[Course], Iterator[Result]]
    engines: tuple[str, ...]


CASES = {
    1: Case(city_book, ("chromium",)),
    2: Case(naive_book, ()),
    3: Case(changed_book, ("typst",)),
    4: Case(unit_reports, ("typst",)),
    5: Case(evidence_packet, ("chromium", "qpdf")),
    6: Case(growth, ()),
    7: Case(file_size, ()),
}
