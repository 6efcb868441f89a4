"""A published checklist and an opened year for tests about the year."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import BEGIN, City
from tracker.domain.actor import operator
from tracker.models import ChecklistVersion, Cycle, Duty, Organization, OrganizationFact
from tracker.services import checklists, cycles

SOURCE = (Path(__file__).parent.parent / "checklists" / "sanji-sigang.yaml").read_bytes()
YEAR = 2026


def published(session: Session) -> ChecklistVersion:
    """The example list as a published version."""
    return checklists.publish(session, SOURCE, actor=operator(), now=BEGIN)


def opened(session: Session) -> Cycle:
    """The year 2026 of whatever organizations there are."""
    return cycles.open_cycle(session, year=YEAR, version=published(session), actor=operator(), now=BEGIN).cycle


def duties_of(session: Session, organization: Organization, *, in_force: bool | None = True) -> dict[str, Duty]:
    """The duties of an organization by key; `in_force` None: those that are no longer owed as well."""
    query = select(Duty).where(Duty.organization_id == organization.id).order_by(Duty.key)
    if in_force is not None:
        query = query.where(Duty.in_force.is_(in_force))
    return {duty.key: duty for duty in session.scalars(query)}


def change_fact(city: City, code: str, *, valid_from: date, now: datetime, **changes: object) -> Organization:
    """Record that something about an organization is different from a day on."""
    organization = city.organizations[code]
    names = ("name", "parent_id", "level", "tags", "is_unit", "position", "opened_on", "closed_on", "term_ends_on")
    values = {name: getattr(organization, name) for name in names} | changes
    for name, value in changes.items():
        setattr(organization, name, value)
    city.session.add(
        OrganizationFact(organization_id=organization.id, valid_from=valid_from, recorded_at=now, **values)
    )
    city.session.flush()
    return organization
