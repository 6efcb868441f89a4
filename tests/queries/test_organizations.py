"""History answers: whatever the tree and the seats showed at a moment, they show again as of that moment."""

from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import BEGIN, TODAY, City
from tracker.domain.actor import AppointmentKind, operator
from tracker.domain.organization import OrganizationFacts
from tracker.models import Appointment, Organization
from tracker.queries.organizations import tree
from tracker.queries.seats import terms_of
from tracker.services import organizations, seats

DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["D1-B1", "D1-B2", "NEW-1"]),
        st.sampled_from(["甲", "乙"]),
        st.sampled_from(["D1-M", "D2-M"]),
        st.sampled_from([(), ("t",)]),
        DAYS,
    ),
    min_size=1,
    max_size=6,
)


def shown(session: Session, day: date, as_of=None) -> tuple[object, ...]:
    city_seats = [row.seat_id for row in session.scalars(select(Appointment))]
    nodes = [(node.code, node.facts, node.unit, node.depth) for node in tree(session, on=day, as_of=as_of)]
    return nodes, terms_of(session, city_seats, as_of=as_of)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, day=DAYS)
def test_what_was_shown_then_is_shown_as_of_then(session: Session, city: City, steps, day) -> None:
    past = []
    with session.begin_nested() as random_history:
        for number, (code, name, parent, tags, since) in enumerate(steps, start=1):
            now = BEGIN + timedelta(days=20 * number)
            facts = OrganizationFacts(name=name, parent=parent, level="L3", tags=tags, opened_on=date(2020, 1, 1))
            organizations.apply(session, code=code, facts=facts, valid_from=since, actor=operator(), now=now)
            appointment = session.scalars(
                select(Appointment).where(Appointment.key == "D2-B1.P4-1#1", Appointment.superseded_at.is_(None))
            ).one()
            seats.apply_appointment(
                session,
                city.seat("D2-B1.P4-1"),
                city.person("Omar"),
                kind=AppointmentKind.HOLDER,
                starts_on=date(2024, 1, 1),
                ends_on=since,
                corrects=appointment,
                actor=operator(),
                now=now,
            )
            past.append((now, shown(session, day)))
        for now, then in past:
            assert shown(session, day, as_of=now) == then
        random_history.rollback()
    session.expire_all()


def test_caches_of_today_say_what_the_facts_say(session: Session, city: City) -> None:
    for node in tree(session, on=TODAY):
        organization = session.get_one(Organization, node.id)
        assert (organization.name, organization.unit.code, sorted(organization.tags)) == (
            node.name,
            node.unit,
            list(node.facts.tags),
        )
