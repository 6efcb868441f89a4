"""Packets as jobs and for commands: gather as of a time, fetch from the store, make, sign, and put in place."""

from __future__ import annotations

import json
import logging
import os
import shutil
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pikepdf
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.domain.canonical import digest
from tracker.domain.errors import WrongState
from tracker.domain.packet import FileState, PacketRecord
from tracker.domain.packet_parts import PacketValues
from tracker.domain.text import _n
from tracker.queries import packets
from tracker.queries.cycles import cycle_of
from tracker.queries.inspections import inspection_named, units_of
from tracker.queries.organizations import unit_named
from tracker.reporting.fonts import FontSet, prepare_fonts
from tracker.reporting.packet import Progress, Step, Terms, make_packet
from tracker.reporting.packet_pieces import Found
from tracker.reporting.press import Press
from tracker.reporting.signature import CannotSign, Signer, certificate_facts, load_certificates, load_signer, sign
from tracker.storage.sheets import NoTime, SheetJob, draw_sheets
from tracker.storage.store import Store
from tracker.tasks import sealing
from tracker.tasks.documents import (
    TEMPLATES,
    fonts_of,
    licensed_fonts,
    software_version,
)
from tracker.tasks.stores import evidence_store
from tracker.tasks.words import TRANSLATIONS, translator
from tracker.tasks.worker import Progress as JobProgress
from tracker.tasks.worker import TryLater, Work, kept_folder
from tracker.tasks.workplace import PART, remove_dead, work_folder

logger = logging.getLogger(__name__)


class NoRoom(WrongState):
    """The disk has less room than packets leave to the rest of the system."""


class Busy(WrongState):
    """The machine has no time to draw the pages of a file now."""


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

    A context manager: at its end the children of the press end. `since` is the generation of seals in which the values
    of its packets are gathered, where that was before. Raises SealedMeanwhile if it is over.
    """

    def __init__(self, settings: Settings, *, language: str, now: datetime, since: str | None = None) -> None:
        self.settings = settings
        self.since = sealing.generation(settings) if since is None else since
        self.language = language
        self.fonts = prepared_fonts(settings)
        self.signer = signer_of(settings, now=now)
        self.press = Press(fonts=self.fonts, templates=TEMPLATES, translations=TRANSLATIONS, cache=settings.section_dir)
        self.store = evidence_store(settings)
        sealing.check_generation(settings, self.since)  # from now on a seal takes away what the press lays out

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.press.__exit__(kind, error, trace)

    def make(self, values: PacketValues, target: Path, progress: Progress) -> Made:
        """Write the packet to `target`, or its volumes beside it as NAME-1.pdf, NAME-2.pdf and so on; each whole.

        Raises NoRoom, Busy, CannotSign, and SealedMeanwhile for values that may not be shown any more.
        """
        try:
            return self._make(values, target, progress)
        except Exception:  # a seal takes away what is being worked on
            sealing.check_generation(self.settings, self.since)
            raise

    def _make(self, values: PacketValues, target: Path, progress: Progress) -> Made:
        files = {file.sha256: file.size for record in values.facts.evidence for file in record.files}
        with self._place(target) as folder:
            self._demand_room(folder, 2 * sum(files.values()))  # a volume, and the same signed

            def watched(step: Step, done: int, total: int) -> None:
                self._demand_room(folder)
                progress(step, done, total)

            originals = folder / "originals"
            originals.mkdir()
            found = found_files(values.facts.evidence, self.store, self.settings.section_dir, watched, originals)
            unsigned = make_packet(values, found, self._terms(), self.press, folder=folder, progress=watched)
            signed, level = self._signed(unsigned.files, values, folder, watched)
            sealing.check_generation(self.settings, self.since)
            paths = put_in_place(signed, target)
        return Made(values.facts.number, paths, digest(unsigned.manifest), unsigned.pages, level)

    @contextmanager
    def _place(self, target: Path) -> Iterator[Path]:
        """A folder to work in, on the disk of the target. What killed runs left is removed: there is one place a disk.

        It lies with the results, where a seal and the daily tidying find it, or else beside the target.
        """
        home, name = self.settings.result_dir, "packet"
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if home.stat().st_dev != target.parent.stat().st_dev:
            home, name = target.parent, f".{target.stem}"
        remove_dead(path for path in home.iterdir() if path.name.startswith(f"{name}.") and path.suffix == PART)
        with work_folder(home / f"{name}.{uuid.uuid4().hex}{PART}") as folder:
            yield folder

    def _demand_room(self, folder: Path, wanted: int = 0) -> None:
        """Raise NoRoom unless the disks of the folder and of the cache have so many bytes and the floor below them."""
        for place in (folder, self.settings.section_dir):
            demand_room(place, self.settings, wanted)

    def _terms(self) -> Terms:
        return Terms(
            fonts=self.fonts,
            translate=translator(self.language),
            language="zh-CN" if self.language == "zh" else self.language,
            limit=self.settings.packet_limit,
            software=software_version(),
            sm3=self.settings.packet_sm3,
            signer=certificate_facts(self.signer.certificate).name if self.signer else "",
            fingerprint=certificate_facts(self.signer.certificate).sha256 if self.signer else "",
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


def found_files(
    records: Sequence[PacketRecord], store: Store, cache: Path, progress: Progress, originals: Path
) -> dict[str, Found]:
    """What the store has of every file of the records, with pictures of its pages, by digest.

    Copies lie in `originals` where the store is on another machine.
    """
    files = {file.sha256: file for record in records for file in record.files}
    sealed = {sha256 for sha256, file in files.items() if file.state is FileState.SEALED}
    jobs = [SheetJob(sha256, file.media_type) for sha256, file in files.items() if sha256 not in sealed]
    try:
        drawn = draw_sheets(jobs, store, cache, progress=lambda done, total: progress(Step.DRAW, done, total))
    except NoTime as error:
        raise Busy(_n("系统繁忙，佐证文件的页面没有全部画成，督查卷暂时不能生成。请稍后重新生成。")) from error
    found = {sha256: Found(path=None, why="sealed") for sha256 in sealed}
    for job, sheets in zip(jobs, drawn, strict=True):
        found[job.digest] = Found(
            path=None if sheets.why in {"missing", "changed"} else store.staged(job.digest, originals),
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


def put_in_place(made: Sequence[Path], target: Path) -> tuple[Path, ...]:
    """Give finished volumes their names, the first one last: where that lies, all of them do. Return the names.

    Further volumes of the same packet, which an earlier run left, are removed.
    """
    files = volume_paths(target, len(made))
    for path in made:
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if len(files) > 1:
        target.unlink(missing_ok=True)
        files[0].unlink(missing_ok=True)
    for source, path in reversed(list(zip(made, files, strict=True))):
        source.replace(path)
    for path in _further(target, len(made)):
        path.unlink()
    return files


def _further(target: Path, volumes: int) -> Iterator[Path]:
    """Volumes of the packet at `target` behind its last one."""
    for number in count(volumes + 1 if volumes > 1 else 1):
        path = target.with_stem(f"{target.stem}-{number}")
        if not path.exists() or _packet_in(path) != _packet_in(volume_paths(target, volumes)[0]):
            return
        yield path


def _packet_in(path: Path) -> str | None:
    """The number of the packet that a PDF is of."""
    try:
        with pikepdf.open(path) as pdf:
            return str(pdf.trailer["/TrkPacket"])
    except (pikepdf.PdfError, KeyError):
        return None


def delivered(target: Path) -> tuple[Path, ...]:
    """The files of a packet that lies whole at `target`, as `put_in_place` leaves it; none where it does not."""
    if target.exists():
        return (target,)
    try:
        with pikepdf.open(volume_paths(target, 2)[0]) as pdf:
            listed = json.loads(pdf.attachments["manifest.json"].get_file().read_bytes())
    except (FileNotFoundError, pikepdf.PdfError, KeyError):
        return ()
    files = volume_paths(target, len(listed["volumes"]))
    return files if all(path.exists() for path in files) else ()


def demand_room(place: Path, settings: Settings, wanted: int = 0) -> None:
    """Raise NoRoom unless the disk of `place` has so many bytes and the floor below them."""
    if shutil.disk_usage(place).free < settings.free_space_floor + wanted:
        raise NoRoom(_n("服务器存储空间不足，暂时不能生成督查卷。请联系管理员清理磁盘后重新生成。"))


# ---------------------------------------------------------------- what a packet is made of


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
) -> Iterator[Made | tuple[Path, ...]]:
    """Write the packet of every unit of a check and the book of them all into `folder`, one after the other.

    A packet that is there already, by its number, is not made again: after a crash the next run goes on. `begin` is
    called before each with how many are done and of how many. Yields what was made, or the files that were there.
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
        yield delivered(target) or workshop.make(values, target, progress)


# ---------------------------------------------------------------- as jobs


_SHARES = {Step.DRAW: (2, 30), Step.PRINT: (30, 75), Step.BIND: (75, 80), Step.EMBED: (80, 90), Step.SIGN: (90, 99)}


def _reporting(progress: JobProgress) -> Progress:
    """Tell a job what is done of a packet: percent, and the step in words that a page can translate."""

    def report(step: Step, done: int, total: int) -> None:
        first, last = _SHARES[step]
        progress(first + (last - first) * done // max(total, 1), f"{step} {done} {total}")

    return report


@contextmanager
def _passing() -> Iterator[None]:
    """Have a job tried again for what may pass by itself, and keep paths of the server from whoever asked for it."""
    try:
        yield
    except (NoRoom, Busy) as refusal:
        raise TryLater(refusal) from refusal
    except CannotSign as refusal:
        if "url" in refusal.values:  # of an authority; all else is about the key
            raise TryLater(refusal) from refusal
        if "path" in refusal.values:
            logger.exception("the settings of the signature")
            sentence = _n("本机的签名设置有误，督查卷不能签名。请联系管理员核对签名证书后重新生成。")
            raise CannotSign(sentence) from refusal
        raise


def _packet_job(values: Callable[..., PacketValues]) -> Work:
    def work(
        session: Session, settings: Settings, arguments: Mapping[str, Any], progress: JobProgress, out: Path
    ) -> None:
        given = dict(arguments) | {"as_of": datetime.fromisoformat(arguments["as_of"])}
        since = sealing.generation(settings)
        progress(1, "gather")
        found = values(session, **given)
        session.rollback()
        with _passing(), _workshop(settings, given["language"], since) as workshop:
            made = workshop.make(found, out.with_name(f"{found.facts.number}.pdf"), _reporting(progress))
            _deliver(made.files, out, settings)
        progress(100, f"manifest {made.manifest_sha256}")

    return work


def _workshop(settings: Settings, language: str, since: str) -> Workshop:
    return Workshop(settings, language=language, now=datetime.now(UTC), since=since)


def all_packets(
    session: Session, settings: Settings, arguments: Mapping[str, Any], progress: JobProgress, out: Path
) -> None:
    """The job that makes every packet of a check, and the book; the next attempt goes on where one ended."""
    given = dict(arguments) | {"as_of": datetime.fromisoformat(arguments["as_of"])}
    since = sealing.generation(settings)
    folder = kept_folder(out) / (since or "none")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    at = [0, 1]

    def begin(done: int, whole: int) -> None:
        at[:] = done, whole

    def report(step: Step, part: int, parts: int) -> None:
        progress(2 + 97 * at[0] // at[1], f"packet {at[0] + 1} {at[1]} {step} {part} {parts}")

    with _passing(), _workshop(settings, given["language"], since) as workshop:
        number, as_of = given["number"], given["as_of"]
        made = make_all(session, workshop, number=number, as_of=as_of, folder=folder, progress=report, begin=begin)
        files = [path for each in made for path in (each.files if isinstance(each, Made) else each)]
        _deliver(files, out, settings)


def _deliver(files: Sequence[Path], out: Path, settings: Settings) -> None:
    """Make one file of a packet: itself, or its volumes in a ZIP that is not compressed."""
    if len(files) == 1:
        files[0].replace(out)
        return
    demand_room(out.parent, settings, sum(path.stat().st_size for path in files))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle:
        for path in files:
            bundle.write(path, path.name)


PACKET_WORKS = {
    "packet": _packet_job(check_values),
    "packet_quarter": _packet_job(quarter_values),
    "packet_all": all_packets,
}
