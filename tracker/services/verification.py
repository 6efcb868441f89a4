"""Verification: everything that is stored is hashed or counted again, and every difference is named. It judges nobody.

Nothing is written here but by `collect_garbage`. Memory use does not grow with files or entries.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.log import Break, Entry, Fault, Stored, Strand, follow, verify_chain
from tracker.models import LogChain, StoredFile
from tracker.queries.log import STREAM, chains, entries_of, heads_of, last_heads, sealed_entries, stored_rows
from tracker.storage.parts import Check
from tracker.storage.store import Store

YOUNG = timedelta(days=1)  # bytes without a row for less than this may belong to an upload that goes on
LEAVES_WITHIN = timedelta(minutes=10)  # a removal that began before that has broken off

Progress = Callable[[int, int], None]


# ---------------------------------------------------------------- the log


@dataclass(frozen=True)
class ChainReport:
    """What checking one chain found. `broken` names the first broken entry; `head` is that of its row."""

    chain: str
    length: int
    head: str | None
    broken: Break | None


# Hands chains, by their keys, to another process, and returns what waits for its reports.
Aside = Callable[[Sequence[str]], Callable[[], list[ChainReport]]]


def verify_log(
    session: Session, *, chain: str | None = None, progress: Progress | None = None, aside: Aside | None = None
) -> list[ChainReport]:
    """Check all chains, or one, from the first entry to the last, against their rows and against the recorded heads.

    A chain of which only the recorded heads are left is broken at its first entry. The session should see one moment
    of the database throughout: what is written meanwhile would look like a fault. `aside` gets half of the work.
    """
    rows, recorded = chains(session, chain), last_heads(session, None if chain is None else {chain})
    own, others = _halves(rows) if aside else (rows, [])
    waiting = aside([row.key for row in others]) if aside and others else None
    whole = sum(row.length for row in rows)
    reports = _reports(session, own, recorded, (lambda done: progress(done, whole)) if progress else None)
    if waiting:
        reports = sorted([*reports, *waiting()], key=lambda report: report.chain)
    if progress:
        progress(whole, whole)
    there = {row.key for row in rows}
    lost = [key for key in recorded if key not in there]
    return [*reports, *(_lost(key) for key in sorted(lost))]


def verify_chains(session: Session, keys: Collection[str]) -> list[ChainReport]:
    """Check these chains, which somebody has seen: one that is not there is broken at its first entry."""
    rows = [row for row in chains(session) if row.key in keys]
    there = {row.key for row in rows}
    return [*_reports(session, rows, last_heads(session, keys)), *(_lost(key) for key in keys if key not in there)]


def _reports(
    session: Session,
    rows: Sequence[LogChain],
    recorded: Mapping[str, tuple[int, str]],
    progress: Callable[[int], None] | None = None,
) -> list[ChainReport]:
    """Check chains together the quick way, and each that leaves a doubt entry by entry."""
    sealed = sealed_entries(session)
    strands = {}
    for row in rows:
        heads = dict([recorded[row.key]]) if row.key in recorded else {}
        strands[row.id] = Strand(row.key, heads, sealed.get(row.id, frozenset()))
    follow(_counted(stored_rows(session, rows), progress), strands)
    return [_chain_report(session, row, strands[row.id]) for row in rows]


def _counted(rows: Iterator[Stored], progress: Callable[[int], None] | None) -> Iterator[Stored]:
    if progress is None:
        yield from rows
        return
    for done, row in enumerate(rows):
        if done % STREAM == 0:
            progress(done)
        yield row


def _lost(key: str) -> ChainReport:
    return ChainReport(key, 0, None, Break(1, Fault.TAIL))


def _halves(rows: Sequence[LogChain]) -> tuple[list[LogChain], list[LogChain]]:
    """The chains in two heaps of about as many entries."""
    halves: tuple[list[LogChain], list[LogChain]] = [], []
    weight = [0, 0]
    for row in sorted(rows, key=lambda row: row.length, reverse=True):
        lighter = int(weight[1] < weight[0])
        halves[lighter].append(row)
        weight[lighter] += row.length
    return halves


def _chain_report(session: Session, row: LogChain, strand: Strand) -> ChainReport:
    """What there is to say of a chain that was followed."""
    if strand.held == (row.length, row.head):
        return ChainReport(row.key, row.length, row.head, None)
    last, heads, sealed = _Last(), strand.heads, strand.sealed
    broken = verify_chain(last.of(entries_of(session, row)), chain=row.key, heads=heads, sealed=sealed)
    if broken and broken.fault in {Fault.HEAD, Fault.TAIL}:  # an earlier head may say more exactly where
        every = heads_of(session, row.key)
        broken = verify_chain(entries_of(session, row), chain=row.key, heads=every, sealed=sealed)
    return ChainReport(row.key, last.seq, row.head, broken or _against_row(row, last))


class _Last:
    """Where a stream of entries ended."""

    seq = 0
    digest: str | None = None

    def of(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """The entries, one by one."""
        for entry in entries:
            self.seq, self.digest = entry.seq, entry.digest
            yield entry


def _against_row(row: LogChain, last: _Last) -> Break | None:
    """Whether the chain ends where its row says."""
    if row.length > last.seq:
        return Break(last.seq + 1, Fault.TAIL)
    if (row.length, row.head) != (last.seq, last.digest):
        return Break(min(row.length + 1, last.seq), Fault.HEAD)
    return None


# ---------------------------------------------------------------- files


class FileFault(StrEnum):
    """What can be wrong with a stored file."""

    MISSING = "missing"
    CHANGED = "changed"
    ORPHANED = "orphaned"
    NOT_DESTROYED = "not_destroyed"


@dataclass(frozen=True)
class FileReport:
    """One file that is not as its row says. `young`: without a row for less than a day, so perhaps still arriving."""

    sha256: str
    fault: FileFault
    young: bool = False


def verify_files(
    session: Session, store: Store, *, now: datetime, progress: Progress | None = None
) -> Iterator[FileReport]:
    """Hash every stored file again and yield each that is missing, changed, without a row, or sealed and still there.

    Rows are read in the order of their digests; bytes without a row come last.
    """
    whole = session.scalar(select(func.count()).select_from(StoredFile)) or 0
    rows = session.execute(
        select(StoredFile.sha256, StoredFile.sealed_at).order_by(StoredFile.sha256).execution_options(yield_per=STREAM)
    )
    for done, (sha256, sealed_at) in enumerate(rows, start=1):
        fault = _fault_of(store.verify(sha256), sealed=sealed_at is not None)
        if fault:
            yield FileReport(sha256, fault)
        if progress:
            progress(done, whole)
    for sha256 in orphans(session, store):
        yield FileReport(sha256, FileFault.ORPHANED, young=_is_young(store, sha256, now))


def _fault_of(found: Check, *, sealed: bool) -> FileFault | None:
    if sealed:
        return None if found is Check.MISSING else FileFault.NOT_DESTROYED
    return {Check.OK: None, Check.MISSING: FileFault.MISSING, Check.CHANGED: FileFault.CHANGED}[found]


def orphans(session: Session, store: Store) -> Iterator[str]:
    """The digests in the store that no row names, in ascending order."""
    batch: list[str] = []
    for sha256 in store.digests():
        batch.append(sha256)
        if len(batch) == STREAM:
            yield from _without_row(session, batch)
            batch = []
    yield from _without_row(session, batch)


def _without_row(session: Session, digests: Sequence[str]) -> list[str]:
    named = set(session.scalars(select(StoredFile.sha256).where(StoredFile.sha256.in_(digests)))) if digests else set()
    return [sha256 for sha256 in digests if sha256 not in named]


def _is_young(store: Store, sha256: str, now: datetime) -> bool:
    try:
        return store.stored_at(sha256) >= now - YOUNG
    except FileNotFoundError:
        return True


@dataclass(frozen=True)
class Garbage:
    """What garbage collection removes: bytes that no row names, leftovers of crashes, bytes of sealed files.

    And what an earlier one took away only half: it comes back, since a row may name it by now.
    """

    orphans: tuple[str, ...]
    parts: tuple[Path, ...]
    sealed: tuple[str, ...]
    back: tuple[str, ...] = ()


def garbage(session: Session, store: Store, *, now: datetime) -> Garbage:
    """What is to go now: orphans and parts older than a day, and what a seal has not destroyed yet."""
    sealed = session.scalars(select(StoredFile.sha256).where(StoredFile.sealed_at.is_not(None))).all()
    leaving = store.leaving(older_than=now - LEAVES_WITHIN)
    return Garbage(
        orphans=tuple(sha256 for sha256 in orphans(session, store) if not _is_young(store, sha256, now)),
        parts=tuple(store.stale_parts(older_than=now - YOUNG)),
        sealed=tuple(sha256 for sha256 in sealed if sha256 in leaving or store.has(sha256)),
        back=tuple(sha256 for sha256 in leaving if sha256 not in sealed),
    )


def collect_garbage(found: Garbage, store: Store, *, now: datetime) -> Garbage:
    """Remove what `garbage` found and return what went: bytes that somebody handed in again meanwhile stay."""
    for part in found.parts:
        part.unlink(missing_ok=True)
    for sha256 in found.sealed:
        store.destroy(sha256)
    store.bring_back(older_than=now - LEAVES_WITHIN)
    gone = tuple(sha256 for sha256 in found.orphans if store.remove_orphan(sha256, older_than=now - YOUNG))
    return Garbage(gone, found.parts, found.sealed, found.back)
