"""Build the demo city in an empty database, and say what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.cli.demo import autumn, opening, visits
from tracker.cli.demo.cabinet import Cabinet
from tracker.cli.demo.clock import END, moment
from tracker.cli.demo.stage import Progress, Stage
from tracker.cli.demo.town import Scale, Town
from tracker.config import Settings
from tracker.domain.checklist_source import load_checklist
from tracker.domain.log import Entry, verify_chain
from tracker.models import Duty, Evidence, LogChain, LogEntry, LogPayload, Organization, Person, StoredFile
from tracker.storage.blobs import BlobStore, Check


@dataclass
class Summary:
    """What the city holds, and what is wrong with it (nothing, or the builder is)."""

    organizations: int = 0
    people: int = 0
    states: dict[str, int] = field(default_factory=dict)
    evidence: int = 0
    files: int = 0
    entries: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        states = ", ".join(f"{state} {count}" for state, count in self.states.items())
        return (
            f"{self.organizations} organizations, {self.people} people, {sum(self.states.values())} duties ({states}), "
            f"{self.evidence} records, {self.files} files, {self.entries} log entries"
        )


def build(
    session: Session, settings: Settings, *, scale: Scale | None = None, progress: Progress | None = None
) -> None:
    """Play the whole year in an empty database. The same scale gives the same logs, evidence and keys every time."""
    scale = scale or Scale()
    checklist = load_checklist(opening.SOURCE.read_bytes())
    store = BlobStore(settings.store_dir, free_space_floor=settings.free_space_floor)
    cabinet = Cabinet(store, each=scale.samples)
    stage = Stage(session, town=Town(checklist, scale), cabinet=cabinet, checklist=checklist)
    opening.put_on_queue(stage, opening.House(settings))
    visits.put_on_queue(stage)
    autumn.put_on_queue(stage)
    stage.at(moment(END, 18), opening.mark, opening.FINISHED)
    stage.play(progress)


def summary(session: Session, store: BlobStore) -> Summary:
    """Count what there is, check every chain of the log, and hash every file again."""
    found = Summary(
        organizations=_count(session, Organization),
        people=_count(session, Person),
        states=_by_state(session),
        evidence=_count(session, Evidence),
        files=_count(session, StoredFile),
        entries=_count(session, LogEntry),
    )
    for chain in session.scalars(select(LogChain).order_by(LogChain.key)):
        heads = {chain.length: chain.head} if chain.head else {}
        broken = verify_chain(_entries(session, chain), chain=chain.key, heads=heads)
        if broken:
            found.faults.append(f"log of {chain.key}, entry {broken.seq}: {broken.message}")
    for digest in session.scalars(select(StoredFile.sha256).order_by(StoredFile.sha256)):
        if (check := store.verify(digest)) is not Check.OK:
            found.faults.append(f"file {digest}: {check.value}")
    return found


def _by_state(session: Session) -> dict[str, int]:
    counted = select(Duty.state, func.count()).where(Duty.in_force.is_(True)).group_by(Duty.state).order_by(Duty.state)
    return {state.value: number for state, number in session.execute(counted)}


def _count(session: Session, model: type[Organization | Person | Evidence | StoredFile | LogEntry]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def _entries(session: Session, chain: LogChain) -> Iterator[Entry]:
    rows = session.execute(
        select(LogEntry, LogPayload.body)
        .join(LogPayload, LogPayload.id == LogEntry.payload_id)
        .where(LogEntry.chain_id == chain.id)
        .order_by(LogEntry.seq)
    )
    for row, body in rows:
        yield Entry(
            chain=chain.key,
            seq=row.seq,
            at=row.at,
            act_id=row.act_id,
            actor=row.actor,
            appointment=row.appointment,
            verb=row.verb,
            object_kind=row.object_kind,
            object_key=row.object_key,
            payload_digest=row.payload_digest,
            request_id=row.request_id,
            previous=row.previous,
            digest=row.digest,
            payload=body,
        )
