"""What a database made for measurements holds, and whether it holds anything else."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from tracker.models import ChecklistVersion, Cycle, Duty, LogEntry, Organization, Person


def roots(session: Session) -> Sequence[str]:
    """The codes of all organizations that hang below nothing."""
    return session.scalars(select(Organization.code).where(Organization.parent_id.is_(None))).all()


def is_empty(session: Session) -> bool:
    """Whether there is nothing yet that anybody entered."""
    return not any(session.scalar(select(exists().where(model.id > 0))) for model in (Organization, Person, Cycle))


def is_there(session: Session, code: str) -> bool:
    """Whether there is an organization of that code."""
    return bool(session.scalar(select(exists().where(Organization.code == code))))


def units(session: Session) -> dict[str, int]:
    """The units' row numbers by code."""
    return dict(session.execute(select(Organization.code, Organization.id).where(Organization.is_unit.is_(True))).all())


def organizations_of(session: Session, unit_id: int) -> Sequence[int]:
    """Row numbers of a unit and of what is below it, in the order of the tree."""
    of_unit = select(Organization.id).where(Organization.unit_id == unit_id)
    return session.scalars(of_unit.order_by(Organization.place)).all()


def is_laid_out(session: Session, cycle: Cycle, unit_id: int) -> bool:
    """Whether a unit has its duties of a year."""
    there = exists().where(Duty.organization_id == unit_id, Duty.cycle_id == cycle.id)
    return bool(session.scalar(select(there)))


def is_told(session: Session, cycle: Cycle) -> bool:
    """Whether the log says that the year is open: all units have their duties."""
    told = exists().where(LogEntry.object_kind == "cycle", LogEntry.object_key == str(cycle.year))
    return bool(session.scalar(select(told)))


def duties_of_year(session: Session, cycle: Cycle) -> tuple[int, int]:
    """How many organizations have duties in a year, and how many duties there are."""
    counts = select(func.count(Duty.organization_id.distinct()), func.count()).where(Duty.cycle_id == cycle.id)
    organizations, duties = session.execute(counts).one()
    return organizations, duties


def year(session: Session, number: int) -> Cycle | None:
    """The year of that number."""
    return session.scalar(select(Cycle).where(Cycle.year == number))


def organization(session: Session, code: str) -> Organization:
    """The organization of that code."""
    return session.scalars(select(Organization).where(Organization.code == code)).one()


def duties_in(session: Session, cycle: Cycle, unit_id: int, *, items: Sequence[str], most: int) -> Sequence[Duty]:
    """The first duties of some items in a unit."""
    query = select(Duty).where(Duty.unit_id == unit_id, Duty.cycle_id == cycle.id, Duty.item_id.in_(items))
    return session.scalars(query.order_by(Duty.id).limit(most)).all()


def published(session: Session) -> ChecklistVersion | None:
    """The version that was published last."""
    return session.scalar(select(ChecklistVersion).order_by(ChecklistVersion.id.desc()).limit(1))
