"""Duties for the small city of tests: a year with the example list, and one duty at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from tests.city import BEGIN, City
from tracker.domain.canonical import digest
from tracker.domain.checklist import item_digest
from tracker.domain.checklist_source import load_checklist
from tracker.domain.duty import State
from tracker.domain.schedule import periods
from tracker.domain.sign_off import duty_content
from tracker.models import ChecklistVersion, Cycle, CycleState, Duty, DutyPlan
from tracker.storage.intake import Accepted

LIST = Path(__file__).resolve().parent.parent / "checklists" / "sanji-sigang.yaml"
CHECKLIST = load_checklist(LIST.read_bytes())


def cycle_of(session: Session, year: int = 2026) -> Cycle:
    """The year, opened with the example list if need be, without any duty."""
    found = session.scalar(select(Cycle).where(Cycle.year == year))
    if found:
        return found
    source = LIST.read_bytes()
    digest_of_source = sha256(source).hexdigest()
    version = session.scalar(select(ChecklistVersion).where(ChecklistVersion.sha256 == digest_of_source))
    version = version or ChecklistVersion(
        key=CHECKLIST.key,
        version=CHECKLIST.version,
        title=CHECKLIST.title,
        sha256=digest_of_source,
        source=source,
        published_at=BEGIN,
    )
    session.add(version)
    session.flush()
    cycle = Cycle(year=year, checklist_version_id=version.id, state=CycleState.OPEN, opened_at=BEGIN)
    session.add(cycle)
    session.flush()
    return cycle


def duty(city: City, seat_key: str, item_id: str, period: str, *, occurrence: int = 1, year: int = 2026) -> Duty:
    """Add a duty of the seat: due five days after its period ends."""
    session, seat = city.session, city.seat(seat_key)
    cycle, item = cycle_of(session, year), CHECKLIST.item[item_id]
    every = {"M": "month", "Q": "quarter", "H": "half", "Y": "year"}[period[0]]
    [span] = [p for p in periods(every, year=year) if p.code == period]
    key = f"{year}.{seat_key}.{item_id}.{period}.{occurrence}"
    version = item_digest(item, CHECKLIST)
    covered = duty_content(
        duty_key=key, item_id=item_id, item_digest=version, period=period, occurrence=occurrence, evidence=()
    )
    dates = {
        "starts_on": span.starts_on,
        "ends_on": span.ends_on,
        "due_on": span.ends_on + timedelta(days=5),
        "in_force": True,
    }
    made = Duty(
        key=key,
        cycle_id=cycle.id,
        unit_id=seat.organization.unit_id,
        organization_id=seat.organization_id,
        seat_id=seat.id,
        item_id=item_id,
        item_digest=version,
        level=item.level,
        post=seat.post,
        dimension=item.dimension,
        occasion=item.occasion,
        period=period,
        period_starts_on=span.starts_on,
        period_ends_on=span.ends_on,
        occurrence=occurrence,
        created_at=BEGIN,
        state=State.OPEN,
        content_digest=digest(covered),
        is_changed=False,
        **dates,
    )
    session.add(made)
    session.flush()
    session.add(DutyPlan(duty_id=made.id, reason="", recorded_at=BEGIN, **dates))
    session.flush()
    return made


def file(content: str = "纪要", name: str = "会议纪要.pdf", size: int = 1_000) -> Accepted:
    """A file as the store took it in."""
    return Accepted(sha256(content.encode()).hexdigest(), size, name, "application/pdf", {"kind": "pdf"}, False)


PRESENT = {"expected": 12, "present": 11}
ACT = date(2026, 5, 18)


@contextmanager
def queries_of(session: Session) -> Iterator[list[str]]:
    """The SELECT statements that the block sends."""
    seen: list[str] = []

    def note(*arguments: object) -> None:
        statement = str(arguments[2])
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            seen.append(statement)

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(connection, "before_cursor_execute", note)
