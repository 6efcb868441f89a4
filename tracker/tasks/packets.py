"""Packets as jobs and for commands: gather as of a time, fetch from the store, make, sign, and put in place."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.domain.canonical import digest
from tracker.domain.errors import NotFound
from tracker.domain.packet import FileState, PacketRecord
from tracker.domain.packet_parts import PacketValues
from tracker.domain.text import _n
from tracker.models import Inspection, Organization
from tracker.queries import packets
from tracker.queries.cycles import cycle_of
from tracker.queries.inspections import units_of
from tracker.reporting.fonts import FontSet, prepare_fonts
from tracker.reporting.packet import Progress, Step, Terms, make_packet
from tracker.reporting.packet_pieces import Found
from tracker.reporting.press import Press
from tracker.reporting.signature import Signer, certificate_facts, load_certificates, load_signer, sign
from tracker.storage.blobs import BlobStore
from tracker.storage.sheets import SheetJob, draw_sheets
from tracker.tasks.documents import (
    TEMPLATES,
    TRANSLATIONS,
    fonts_of,
    licensed_fonts,
    software_version,
    translator,
)
from tracker.tasks.worker import Progress as JobProgress
from tracker.tasks.worker import Work


@dataclass(frozen=True)
class Made:
    """A packet that was made: its volumes, the digest of its manifest, its pages, and the level of its signature."""

    number: str
    files: tuple[Path, ...]
    manifest_sha256: str
    pages: int
    level: str


class Workshop:
    """What packets are made with on this installation: fonts, a press, the store, and the organ's key if there is one.

    A context manager: at its end the children of the press end.
    """

    def __init__(self, settings: Settings, *, language: str, now: datetime) -> None:
        self.settings = settings
        self.language = language
        self.fonts = prepared_fonts(settings)
        self.signer = signer_of(settings, now=now)
        self.press = Press(fonts=self.fonts, templates=TEMPLATES, translations=TRANSLATIONS, cache=settings.section_dir)
        self.store = BlobStore(settings.store_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.press.__exit__(kind, error, trace)

    def make(self, values: PacketValues, target: Path, progress: Progress) -> Made:
        """Write the packet to `target`, or its volumes beside it as NAME-1.pdf, NAME-2.pdf and so on; each whole."""
        found = found_files(values.facts.evidence, self.store, self.settings.section_dir, progress)
        with tempfile.TemporaryDirectory(prefix=".packet-", dir=target.parent) as name:
            folder = Path(name)
            unsigned = make_packet(values, found, self._terms(), self.press, folder=folder, progress=progress)
            signed, level = self._signed(unsigned.files, values, folder, progress)
            files = volume_paths(target, len(signed))
            for source, path in zip(signed, files, strict=True):
                source.replace(path)
        return Made(values.facts.number, files, digest(unsigned.manifest), unsigned.pages, level)

    def _terms(self) -> Terms:
        return Terms(
            fonts=self.fonts,
            translate=translator(self.language),
            language="zh-CN" if self.language == "zh" else self.language,
            limit=self.settings.packet_limit,
            software=software_version(),
            sm3=self.settings.packet_sm3,
            signer=certificate_facts(self.signer.certificate).name if self.signer else "",
            timestamped=bool(self.signer and self.settings.timestamp_url),
        )

    def _signed(
        self, files: Sequence[Path], values: PacketValues, folder: Path, progress: Progress
    ) -> tuple[list[Path], str]:
        """The volumes with the organ's signature behind them, and its level; as they are where there is no key."""
        if self.signer is None:
            return list(files), ""
        signed, level = [], ""
        for number, source in enumerate(files, start=1):
            progress(Step.SIGN, number - 1, len(files))
            path = folder / f"signed-{number}.pdf"
            done = sign(
                source,
                path,
                signer=self.signer,
                reason=f"{values.facts.title} {values.facts.number}",
                organization=values.issuer,
                timestamp_url=self.settings.timestamp_url or None,
                now=datetime.now(UTC),
            )
            source.unlink()
            signed.append(path)
            level = done.level
        return signed, level


def prepared_fonts(settings: Settings) -> FontSet:
    """The prepared fonts of this installation; prepared now, which takes a minute, where they are not yet."""
    fonts = fonts_of(settings)
    return fonts if fonts.is_prepared else prepare_fonts(settings.font_dir, licensed=licensed_fonts(settings))


def signer_of(settings: Settings, *, now: datetime) -> Signer | None:
    """The organ's key, or None where the settings name none. Raises CannotSign for one that cannot be used."""
    if settings.signing_key is None:
        return None
    issuers = load_certificates(settings.trusted_certificates) if settings.trusted_certificates else ()
    passphrase = settings.signing_passphrase.get_secret_value()
    return load_signer(settings.signing_key, passphrase, now=now, issuers=issuers)


def found_files(records: Sequence[PacketRecord], store: BlobStore, cache: Path, progress: Progress) -> dict[str, Found]:
    """What the store has of every file of the records, with pictures of its pages, by digest."""
    files = {file.sha256: file for record in records for file in record.files}
    sealed = {sha256 for sha256, file in files.items() if file.state is FileState.SEALED}
    jobs = [SheetJob(sha256, file.media_type) for sha256, file in files.items() if sha256 not in sealed]
    drawn = draw_sheets(jobs, store, cache, progress=lambda done, total: progress(Step.DRAW, done, total))
    found = {sha256: Found(path=None, why="sealed") for sha256 in sealed}
    for job, sheets in zip(jobs, drawn, strict=True):
        found[job.digest] = Found(
            path=None if sheets.why in {"missing", "changed"} else store.path(job.digest),
            pictures=tuple(sheet.path for sheet in sheets.sheets),
            pages=sheets.pages,
            why=sheets.why,
        )
    return found


def volume_paths(target: Path, volumes: int) -> tuple[Path, ...]:
    """Where the volumes of a packet go that was asked for at `target`."""
    if volumes == 1:
        return (target,)
    return tuple(target.with_stem(f"{target.stem}-{number}") for number in range(1, volumes + 1))


# ---------------------------------------------------------------- what a packet is made of


def inspection_named(session: Session, number: int) -> Inspection:
    """The check of that number. Raises NotFound."""
    inspection = session.scalar(select(Inspection).where(Inspection.number == number))
    if inspection is None:
        raise NotFound(_n("没有第 %(number)s 号督查，请核对编号。"), number=number)
    return inspection


def unit_named(session: Session, code: str) -> Organization:
    """The unit of that code. Raises NotFound."""
    unit = session.scalar(select(Organization).where(Organization.code == code, Organization.is_unit))
    if unit is None:
        raise NotFound(_n("没有代码为 %(code)s 的单位，请核对代码。"), code=code)
    return unit


def check_values(session: Session, *, number: int, unit: str | None, as_of: datetime, language: str) -> PacketValues:
    """The values of the packet of a check, or of one unit in it."""
    return packets.inspection_packet(
        session,
        inspection_named(session, number),
        unit=unit_named(session, unit) if unit else None,
        as_of=as_of,
        words=translator(language),
        language=language,
        software_version=software_version(),
    )


def quarter_values(
    session: Session, *, unit: str, year: int, quarter: int, as_of: datetime, language: str
) -> PacketValues:
    """The values of the quarterly volume of a unit."""
    return packets.quarter_packet(
        session,
        cycle_of(session, year),
        unit_named(session, unit),
        quarter=quarter,
        as_of=as_of,
        words=translator(language),
        language=language,
        software_version=software_version(),
    )


def book_values(session: Session, *, number: int, as_of: datetime, language: str) -> PacketValues:
    """The values of the book of all units of a check."""
    return packets.city_book(
        session,
        inspection_named(session, number),
        as_of=as_of,
        words=translator(language),
        language=language,
        software_version=software_version(),
    )


def make_all(
    session: Session,
    workshop: Workshop,
    *,
    number: int,
    as_of: datetime,
    folder: Path,
    progress: Progress,
    begin: Callable[[int, int], None] | None = None,
) -> Iterator[Made | Path]:
    """Write the packet of every unit of a check and the book of them all into `folder`, one after the other.

    A packet that is there already, by its number, is not made again: after a crash the next run goes on. `begin` is
    called before each with how many are done and of how many. Yields what was made, or the path that was there.
    """
    inspection = inspection_named(session, number)
    codes = [unit.code for unit in units_of(session, inspection, as_of=as_of)]
    makers: list[Callable[[], PacketValues]] = [
        partial(check_values, session, number=number, unit=code, as_of=as_of, language=workshop.language)
        for code in codes
    ]
    makers.append(partial(book_values, session, number=number, as_of=as_of, language=workshop.language))
    for done, values_of in enumerate(makers):
        if begin:
            begin(done, len(makers))
        values = values_of()
        session.rollback()
        target = folder / f"{values.facts.number}.pdf"
        if target.exists() or target.with_stem(f"{target.stem}-1").exists():
            yield target
        else:
            yield workshop.make(values, target, progress)


# ---------------------------------------------------------------- as jobs


_SHARES = {Step.DRAW: (2, 30), Step.PRINT: (30, 75), Step.BIND: (75, 80), Step.EMBED: (80, 90), Step.SIGN: (90, 99)}


def _reporting(progress: JobProgress) -> Progress:
    """Tell a job what is done of a packet: percent, and the step in words that a page can translate."""

    def report(step: Step, done: int, total: int) -> None:
        first, last = _SHARES[step]
        progress(first + (last - first) * done // max(total, 1), f"{step} {done} {total}")

    return report


def _packet_job(values: Callable[..., PacketValues]) -> Work:
    def work(
        session: Session, settings: Settings, arguments: Mapping[str, Any], progress: JobProgress, out: Path
    ) -> None:
        given = dict(arguments) | {"as_of": datetime.fromisoformat(arguments["as_of"])}
        progress(1, "gather")
        found = values(session, **given)
        session.rollback()
        with _beside(out) as folder, Workshop(settings, language=given["language"], now=datetime.now(UTC)) as workshop:
            made = workshop.make(found, folder / f"{found.facts.number}.pdf", _reporting(progress))
            _deliver(made.files, out)

    return work


def all_packets(
    session: Session, settings: Settings, arguments: Mapping[str, Any], progress: JobProgress, out: Path
) -> None:
    """The job that makes every packet of a check, and the book; after a crash it goes on where it was."""
    given = dict(arguments) | {"as_of": datetime.fromisoformat(arguments["as_of"])}
    folder = settings.result_dir / f"{out.name.partition('.')[0]}.packets"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    at = [0, 1]

    def begin(done: int, whole: int) -> None:
        at[:] = done, whole

    def report(step: Step, part: int, parts: int) -> None:
        progress(2 + 97 * at[0] // at[1], f"packet {at[0] + 1} {at[1]} {step} {part} {parts}")

    with Workshop(settings, language=given["language"], now=datetime.now(UTC)) as workshop:
        number, as_of = given["number"], given["as_of"]
        made = make_all(session, workshop, number=number, as_of=as_of, folder=folder, progress=report, begin=begin)
        for _ in made:
            pass
    _deliver(sorted(folder.glob("*.pdf")), out)
    shutil.rmtree(folder)


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"{out.name.partition('.')[0]}.", suffix=".part", dir=out.parent) as name:
        yield Path(name)


def _deliver(files: Sequence[Path], out: Path) -> None:
    """Make one file of a packet: itself, or its volumes in a ZIP that is not compressed."""
    if len(files) == 1:
        files[0].replace(out)
        return
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for path in files:
            bundle.write(path, path.name)


PACKET_WORKS = {
    "packet": _packet_job(check_values),
    "packet_quarter": _packet_job(quarter_values),
    "packet_all": all_packets,
}
