"""A small city for tests. Asha holds a branch post, Chen confirms above her, Omar is in another unit, Ines inspects,
Adam administers, Ada audits. It writes rows directly, so that a test of one verb does not depend on the others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, AppointmentKind
from tracker.models import (
    Account,
    Appointment,
    Organization,
    OrganizationAncestor,
    OrganizationFact,
    Person,
    PersonFact,
    Role,
    Seat,
)
from tracker.queries.actors import actor_of_person

NOW = datetime(2026, 5, 20, 2, 0, tzinfo=UTC)
TODAY = date(2026, 5, 20)
BEGIN = datetime(2026, 1, 4, 1, 0, tzinfo=UTC)


@dataclass
class City:
    """Organizations, people and seats by short name."""

    session: Session
    organizations: dict[str, Organization] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    seats: dict[str, Seat] = field(default_factory=dict)

    @classmethod
    def build(cls, session: Session) -> City:
        """Root R; unit D1 (with organ committee D1-M, branches D1-B1 and D1-B2) and unit D2 (D2-M, D2-B1).

        Levels L1, L2, L3 and posts P1 … P4, R1, R2 are those of the example list `checklists/sanji-sigang.yaml`.
        """
        city = cls(session)
        city.organization("R", "清河市直机关", level="root")
        for unit, name in (("D1", "清河市林业局"), ("D2", "清河市水务局")):
            city.organization(unit, name, parent="R", level="L1", is_unit=True)
            city.organization(f"{unit}-M", f"{name}二级组织", parent=unit, level="L2")
        for code, parent in (("D1-B1", "D1-M"), ("D1-B2", "D1-M"), ("D2-B1", "D2-M")):
            city.organization(code, f"{code} 基层组织", parent=parent, level="L3", tags=["has-committee"])
        for code, post, who in (
            ("R", "R1", "Rong"),
            ("R", "R2", "Ruth"),
            ("D1", "P1", "Dong"),
            ("D1-M", "P3", "Chen"),
            ("D1-B1", "P4", "Asha"),
            ("D1-B2", "P4", "Bela"),
            ("D2", "P1", "Du"),
            ("D2-M", "P3", "Cao"),
            ("D2-B1", "P4", "Omar"),
        ):
            city.appoint(who, f"{code}.{post}-1")
        city.appoint("Lin", "D1.P2-1")
        city.appoint("Luo", "D1.P2-2")
        for who, role in (("Ines", "inspector"), ("Ivan", "inspector"), ("Adam", "administrator"), ("Ada", "auditor")):
            city.give_role(who, role)
        session.flush()
        return city

    @classmethod
    def standing(cls, session: Session) -> City:
        """The city as it stands in a database."""
        return cls(
            session,
            {row.code: row for row in session.scalars(select(Organization).order_by(Organization.id))},
            {row.name: row for row in session.scalars(select(Person).order_by(Person.id))},
            {row.key: row for row in session.scalars(select(Seat).order_by(Seat.id))},
        )

    def organization(
        self,
        code: str,
        name: str,
        *,
        parent: str | None = None,
        level: str,
        tags: list[str] | None = None,
        is_unit: bool = False,
    ) -> Organization:
        """Add an organization with its fact and its place in the tree."""
        above = self.organizations[parent] if parent else None
        values = {
            "name": name,
            "parent_id": above.id if above else None,
            "level": level,
            "tags": tags or [],
            "is_unit": is_unit,
            "position": len(self.organizations),
            "opened_on": date(2020, 1, 1),
            "closed_on": None,
            "term_ends_on": None,
        }
        organization = Organization(
            code=code, place=len(self.organizations), unit_id=0 if above is None or is_unit else above.unit_id, **values
        )
        self.session.add(organization)
        self.session.flush()
        organization.unit_id = organization.unit_id or organization.id
        fact = OrganizationFact(
            organization_id=organization.id, valid_from=date(2020, 1, 1), recorded_at=BEGIN, **values
        )
        self.session.add(fact)
        distance, node = 0, organization
        while node is not None:
            link = OrganizationAncestor(ancestor_id=node.id, descendant_id=organization.id, distance=distance)
            self.session.add(link)
            distance, node = distance + 1, node.parent
        self.session.flush()
        self.organizations[code] = organization
        return organization

    def person(self, name: str) -> Person:
        """Return the person of that name, added if need be; the key is the name in lower case."""
        if name not in self.people:
            person = Person(key=name.lower(), account_name=name.lower(), staff_number=None, name=name)
            self.session.add(person)
            self.session.flush()
            self.session.add(PersonFact(person_id=person.id, name=name, recorded_at=BEGIN))
            self.people[name] = person
        return self.people[name]

    def seat(self, key: str) -> Seat:
        """Return the seat `ORG.POST-n`, added if need be."""
        if key not in self.seats:
            code, post = key.split(".")
            post_id, number = post.rsplit("-", 1)
            seat = Seat(
                key=key,
                organization_id=self.organizations[code].id,
                post=post_id,
                number=int(number),
                opened_at=BEGIN,
            )
            self.session.add(seat)
            self.session.flush()
            self.seats[key] = seat
        return self.seats[key]

    def appoint(
        self,
        who: str,
        seat_key: str,
        *,
        kind: AppointmentKind = AppointmentKind.HOLDER,
        starts_on: date = date(2024, 1, 1),
        ends_on: date | None = None,
    ) -> Appointment:
        """Put a person in a seat."""
        seat, person = self.seat(seat_key), self.person(who)
        number = self.session.query(Appointment).filter_by(seat_id=seat.id).count() + 1
        appointment = Appointment(
            key=f"{seat_key}#{number}",
            seat_id=seat.id,
            person_id=person.id,
            kind=kind,
            starts_on=starts_on,
            ends_on=ends_on,
            recorded_at=BEGIN,
        )
        self.session.add(appointment)
        self.session.flush()
        return appointment

    def give_role(self, who: str, name: str) -> Account:
        """Give a person an account with a role."""
        role = self.session.query(Role).filter_by(name=name).one_or_none() or Role(name=name)
        person = self.person(who)
        account = Account(
            person_id=person.id,
            username=person.key,
            active=True,
            fs_uniquifier=f"u-{person.key}",
            password_history=[],
            must_change_password=False,
            failed_sign_ins=0,
            lock_count=0,
            language="zh",
            created_at=BEGIN,
        )
        account.roles.append(role)
        self.session.add(account)
        self.session.flush()
        return account

    def actor(self, who: str, *, today: date = TODAY) -> Actor:
        """The person as they would act on a day."""
        return actor_of_person(self.session, self.people[who], today=today, request_id="test")


def at(day: date, hour: int = 10) -> datetime:
    """A moment of a day in Asia/Shanghai."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour - 8)
