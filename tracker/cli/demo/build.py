"""Build the demo city in an empty database, and say what it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.cli.demo import autumn, follow_up, opening, results, visits
from tracker.cli.demo.cabinet import Cabinet
from tracker.cli.demo.clock import END, moment
from tracker.cli.demo.stage import Progress, Stage
from tracker.cli.demo.town import Scale, Town
from tracker.config import Settings
from tracker.domain.checklist_source import load_checklist
from tracker.models import Duty, Evidence, LogEntry, Organization, Person, StoredFile
from tracker.services.verification import verify_files, verify_log
from tracker.storage.store import Store
from tracker.tasks.stores import evidence_store


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
    store = evidence_store(settings)
    cabinet = Cabinet(store, each=scale.samples)
    stage = Stage(session, town=Town(checklist, scale), cabinet=cabinet, checklist=checklist)
    opening.put_on_queue(stage, opening.House(settings))
    visits.put_on_queue(stage)
    follow_up.put_on_queue(stage)
    results.put_on_queue(stage)
    autumn.put_on_queue(stage)
    stage.at(moment(END, 23, 50), opening.mark, opening.FINISHED)
    stage.play(progress)


def summary(session: Session, store: Store) -> Summary:
    """Count what there is, check every chain of the log, and hash every file again."""
    found = Summary(
        organizations=_count(session, Organization),
        people=_count(session, Person),
        states=_by_state(session),
        evidence=_count(session, Evidence),
        files=_count(session, StoredFile),
        entries=_count(session, LogEntry),
    )
    for report in verify_log(session):
        if report.broken:
            found.faults.append(f"log of {report.chain}, entry {report.broken.seq}: {report.broken.message}")
    for file in verify_files(session, store, now=moment(END)):
        found.faults.append(f"file {file.sha256}: {file.fault}")
    return found


def _by_state(session: Session) -> dict[str, int]:
    counted = select(Duty.state, func.count()).where(Duty.in_force.is_(True)).group_by(Duty.state).order_by(Duty.state)
    return {state.value: number for state, number in session.execute(counted)}


def _count(session: Session, model: type[Organization | Person | Evidence | StoredFile | LogEntry]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0
