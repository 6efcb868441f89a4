"""Acts that read or write many bytes: taking files in, hashing them again, checking the log, taking a year along."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import xlsxwriter
from sqlalchemy.orm import Session

from tracker.cli.aside import second_process
from tracker.cli.bench.acts import held_megabytes
from tracker.cli.bench.ground import Ground
from tracker.cli.bench.measure import BenchError, Growth
from tracker.cli.bench.table import Row, middle, p95_of
from tracker.cli.demo.place import with_schema
from tracker.config import load_settings
from tracker.db import db, transaction
from tracker.domain.log import Entry, entry_content
from tracker.domain.media import Limits
from tracker.models import Cycle, StoredFile
from tracker.queries import seed as seeded
from tracker.queries.history import SHANGHAI
from tracker.queries.log import chains, entries_of
from tracker.services.bulk import insert_rows
from tracker.services.evidence_rows import stored_row
from tracker.services.verification import verify_files, verify_log
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted, take_in
from tracker.tasks.duty_tables import table_of, write_duties

CHUNK = 256 * 1024
MEGABYTE = 1_000_000
ROUNDS = 3
SMALLEST, LARGEST = 5, 200  # megabytes of a file that is taken in


# ---------------------------------------------------------------- taking files in


def uploads(ground: Ground, *, megabytes: int) -> Iterator[Row]:
    """Take in files of 5 MB to 200 MB, against reading, hashing, writing and fsync of the same bytes."""
    with _folder(ground, "uploads") as folder:
        files = _papers(folder / "sent", megabytes)
        sent = sum(file.stat().st_size for file in files) / MEGABYTE
        store = BlobStore(folder / "store")
        ours, floor, growth = [], [], Growth()
        for file in files:
            with growth.step():
                ours.append(_taken_in(file, store))
            floor.append(plain_copy(file, folder / "plain"))
    yield Row(
        name="take files in : read, SHA-256, write, fsync",
        unit="MB/s",
        value=sent / sum(ours),
        floor=sent / sum(floor),
        demand=0.6,
        more=True,
        p95=p95_of(ours),
        floor_p95=p95_of(floor),
        note=f"{len(files)} files, {sent:.0f} MB",
    )
    yield Row(
        name="memory that taking files in adds : 64 MB",
        unit="MB",
        value=growth.bytes / MEGABYTE,
        floor=64,
        demand=1,
        at_most=True,
    )


def sizes_of(megabytes: int) -> list[int]:
    """Sizes of files that make up so many megabytes: from the smallest to the largest, over and over."""
    sizes: list[int] = []
    steps = (SMALLEST, 20, 50, 100, LARGEST)
    while (left := megabytes - sum(sizes)) > 0:
        sizes.append(min(steps[len(sizes) % len(steps)], max(left, SMALLEST)))
    return sizes


def _papers(folder: Path, megabytes: int) -> list[Path]:
    """Papers as scanners make them, each of a size."""
    folder.mkdir()
    made = [folder / f"{number}.pdf" for number, _ in enumerate(sizes_of(megabytes))]
    for number, (path, size) in enumerate(zip(made, sizes_of(megabytes), strict=True)):
        _write_paper(path, size * MEGABYTE, Random(number))  # noqa: S311  nothing secret
    return made


def _write_paper(path: Path, length: int, random: Random) -> None:
    """A PDF of one page with a picture that cannot be compressed, written piece by piece: memory is measured here."""
    parts = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Scan 4 0 R >>",
    )
    with path.open("wb") as file:
        file.write(b"%PDF-1.7\n")
        places = []
        for number, part in enumerate(parts, start=1):
            places.append(file.tell())
            file.write(b"%d 0 obj\n%b\nendobj\n" % (number, part))
        places.append(file.tell())
        file.write(b"4 0 obj\n<< /Length %d >>\nstream\n" % length)
        for start in range(0, length, CHUNK):
            file.write(random.randbytes(min(CHUNK, length - start)))
        file.write(b"\nendstream\nendobj\n")
        begin = file.tell()
        file.write(b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places))
        file.write(b"trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % begin)


def _taken_in(file: Path, store: BlobStore) -> float:
    limits = Limits(file_bytes=2 * LARGEST * MEGABYTE)
    start = time.perf_counter()
    with file.open("rb") as stream:
        take_in(stream, name=file.name, store=store, limits=limits)
    return time.perf_counter() - start


def plain_copy(file: Path, folder: Path) -> float:
    """Read, hash, write and fsync a file and the folder it is in, piece by piece; the seconds."""
    folder.mkdir(exist_ok=True)
    hashed, start = hashlib.sha256(), time.perf_counter()
    with file.open("rb", buffering=0) as source, (folder / file.name).open("wb", buffering=0) as target:
        while piece := source.read(CHUNK):
            target.write(piece)
            hashed.update(piece)
        os.fsync(target.fileno())
    (folder / file.name).rename(folder / hashed.hexdigest())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)
    return time.perf_counter() - start


# ---------------------------------------------------------------- hashing again


def verifying(ground: Ground, *, files: int) -> Iterator[Row]:
    """Hash many stored files again, against `sha256sum` over the same files."""
    program = shutil.which("sha256sum")
    if program is None:
        raise BenchError("sha256sum is missing; it is Debian's package `coreutils`")
    with _folder(ground, "verify") as folder:
        app = with_schema(load_settings(data_dir=folder, demo=True))
        with app.app_context():
            store = BlobStore(folder / "evidence")
            whole = _fill_store(folder / "evidence", files)
            ours, floor = [], []
            for _ in range(3):
                start = time.perf_counter()
                faults = list(verify_files(db.session(), store, now=datetime.now(UTC)))
                ours.append(time.perf_counter() - start)
                floor.append(_summed(program, folder / "evidence"))
            db.session.remove()
            db.engine.dispose()
    if faults:
        raise BenchError(f"{len(faults)} files are not as they should be")
    yield Row(
        name="verify stored files : sha256sum",
        unit="s",
        value=middle(ours),
        floor=middle(floor),
        demand=0.8,
        note=f"{files} files, {whole / MEGABYTE:.0f} MB",
    )


def _fill_store(store: Path, files: int) -> int:
    """Put files where the store keeps them, and their rows; the bytes in all. It does not wait for the disk."""
    random, rows, whole = Random(7), [], 0  # noqa: S311  nothing secret
    now = datetime.now(UTC)
    for _ in range(files):
        content = random.randbytes(random.randint(20_000, 80_000))
        sha256 = hashlib.sha256(content).hexdigest()
        folder = store / sha256[:2] / sha256[2:4]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / sha256).write_bytes(content)
        accepted = Accepted(sha256, len(content), "照片.jpg", "image/jpeg", {"kind": "jpeg"}, location_removed=False)
        rows.append(stored_row(accepted, now=now))
        whole += len(content)
    with transaction() as session:
        insert_rows(session, StoredFile, rows)
    return whole


def _summed(program: str, store: Path) -> float:
    names = "\0".join(str(path) for path in sorted(store.glob("??/??/*"))).encode()
    xargs = shutil.which("xargs") or "xargs"
    start = time.perf_counter()
    subprocess.run([xargs, "-0", program], input=names, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    return time.perf_counter() - start


# ---------------------------------------------------------------- the log


def log_checking(ground: Ground) -> Iterator[Row]:
    """Check the whole log as `tracker log verify` does, against hashing the same bytes when they are in memory."""
    app = ground.application()
    with app.app_context():
        length, floor = _log_floor(db.session())
        ours = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            with second_process() as aside:
                reports = verify_log(db.session(), aside=aside)
            ours.append(time.perf_counter() - start)
        db.session.remove()
        db.engine.dispose()
    if any(report.broken for report in reports):
        raise BenchError("a chain of the log is broken")
    yield Row(
        name="check the log : a bare loop of SHA-256",
        unit="s",
        value=middle(ours),
        floor=floor,
        demand=0.5,
        note=f"{length} entries, {1e6 * middle(ours) / length:.1f} µs each",
    )


def _log_floor(session: Session) -> tuple[int, float]:
    """How many entries the log has, and the seconds of hashing them; one chain at a time is held in memory."""
    length, rounds = 0, [0.0] * ROUNDS
    for chain in chains(session):
        pieces = [piece for entry in entries_of(session, chain) for piece in hashed_of(entry)]
        length += chain.length
        rounds = [taken + _hashed(pieces) for taken in rounds]
    return length, middle(rounds)


def hashed_of(entry: Entry) -> Iterator[tuple[bytes, str]]:
    """The bytes that are hashed for an entry, each with the digest that they shall have."""
    names = ("chain", "seq", "at", "act_id", "actor", "appointment", "verb", "object_kind", "object_key")
    told: dict[str, Any] = {name: getattr(entry, name) for name in (*names, "payload_digest", "request_id", "previous")}
    yield entry_content(**told), entry.digest
    if entry.payload is not None:
        yield entry.payload, entry.payload_digest


def _hashed(pieces: Sequence[tuple[bytes, str]]) -> float:
    start = time.perf_counter()
    for content, wanted in pieces:
        if hashlib.sha256(content).hexdigest() != wanted:
            raise BenchError("a chain of the log is broken")
    return time.perf_counter() - start


# ---------------------------------------------------------------- a year to take along


def exporting(ground: Ground) -> Iterator[Row]:
    """Write the duties of a year to .xlsx and CSV, against XlsxWriter on rows that are ready."""
    app = ground.application()
    with app.app_context(), _folder(ground, "export") as folder:
        session = db.session()
        cycle = _cycle(session)
        memory: list[float] = []

        def told(_: int) -> None:
            memory.append(held_megabytes())

        seconds = {}
        for ending in (".csv", ".xlsx"):
            start = time.perf_counter()
            write_duties(session, cycle, folder / f"duties{ending}", language="zh", told=told)
            seconds[ending] = time.perf_counter() - start
        headings, rows = table_of(session, cycle, language="zh")
        ready = [headings, *rows]
        start = time.perf_counter()
        plain_book(folder / "plain.xlsx", ready)
        floor = time.perf_counter() - start
        db.session.remove()
        db.engine.dispose()
    for ending in (".xlsx", ".csv"):
        yield Row(
            name=f"take a year along as {ending} : XlsxWriter on ready rows",
            unit="s",
            value=seconds[ending],
            floor=floor,
            demand=0.5,
            note=f"{len(ready) - 1} duties",
        )
    early = memory[len(memory) // 4] if memory else held_megabytes()
    yield Row(
        name="memory at the end of taking along : early in it",
        unit="MB",
        value=memory[-1] if memory else early,
        floor=early,
        demand=1.2,
        at_most=True,
    )


def _cycle(session: Session) -> Cycle:
    found = seeded.year(session, datetime.now(SHANGHAI).year)
    if found is None:
        raise BenchError("this year is not there: seed it")
    return found


def plain_book(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """The same cells by XlsxWriter alone."""
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)}) as book:
        sheet, day = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                if isinstance(cell, date):
                    sheet.write_datetime(number, column, cell, day)
                elif isinstance(cell, str):
                    sheet.write_string(number, column, cell)
                elif cell is not None:
                    sheet.write_number(number, column, cell)


@contextmanager
def _folder(ground: Ground, name: str) -> Iterator[Path]:
    """A folder below the ground for the time of the block."""
    folder = ground.root / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
