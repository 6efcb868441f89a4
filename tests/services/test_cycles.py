from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City
from tests.years import YEAR, change_fact, duties_of, opened, published
from tracker.domain.actor import operator
from tracker.domain.canonical import canonical_json, digest
from tracker.domain.duty import State
from tracker.domain.errors import Conflict, Invalid, NotAllowed, WrongState
from tracker.models import Cycle, CycleState, Duty, DutyPlan, LogEntry, LogPayload, Seat
from tracker.queries.assignments import item_of
from tracker.queries.checklists import checklist_of
from tracker.queries.cycles import plan_cycle
from tracker.services import cycles

JULY = date(2026, 7, 1)


def relaid(session: Session, city: City, *codes: str, from_day: date = TODAY, reason: str = "原因") -> cycles.Relaid:
    organizations = [city.organizations[code] for code in codes]
    return cycles.relay(
        session, organizations=organizations, from_day=from_day, actor=operator(), now=NOW, reason=reason
    )


def count(session: Session, model: type[object]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_adam_opens_the_year_and_every_duty_has_its_plan(session: Session, city: City) -> None:
    version = published(session)
    done = cycles.open_cycle(session, year=YEAR, version=version, actor=city.actor("Adam"), now=NOW)
    assert done.is_new
    assert done.duties == count(session, Duty) == count(session, DutyPlan) > 300
    assert done.organizations == 7
    duty = session.scalars(select(Duty).where(Duty.key == "2026.D1-B1.P4-1.B-01.M03.1")).one_or_none()
    duty = duty or session.scalars(select(Duty).where(Duty.period == "M03")).first()
    assert duty is not None
    plan = session.scalars(select(DutyPlan).where(DutyPlan.duty_id == duty.id)).one()
    assert (plan.starts_on, plan.ends_on, plan.due_on) == (duty.starts_on, duty.ends_on, duty.due_on)
    assert duty.starts_on == date(2026, 3, 1)
    assert duty.ends_on == date(2026, 3, 31)
    assert duty.due_on > duty.ends_on
    assert duty.unit_id == duty.organization.unit_id
    assert duty.state is State.OPEN


def test_asha_cannot_open_a_year(session: Session, city: City) -> None:
    version = published(session)
    with pytest.raises(NotAllowed):
        cycles.open_cycle(session, year=YEAR, version=version, actor=city.actor("Asha"), now=NOW)
    assert count(session, Cycle) == 0


def test_opening_twice_adds_nothing(session: Session, city: City) -> None:
    opened(session)
    duties, entries = count(session, Duty), count(session, LogEntry)
    done = cycles.open_cycle(session, year=YEAR, version=published(session), actor=operator(), now=NOW)
    assert not done.is_new
    assert (count(session, Duty), count(session, LogEntry)) == (duties, entries)


def test_the_plan_shown_before_opening_is_what_opening_makes(session: Session, city: City) -> None:
    burden = plan_cycle(session, year=YEAR, version=published(session))
    assert count(session, Duty) == 0
    cycle = opened(session)
    made = session.execute(select(Duty.level, func.count()).where(Duty.cycle_id == cycle.id).group_by(Duty.level))
    assert {level.level: level.duties for level in burden.levels} == dict(made.all())
    assert 0 < burden.records < burden.duties
    assert burden.saved == burden.duties - burden.records


def test_each_member_has_their_own_duties_and_a_single_post_is_owed_by_seat_one(session: Session, city: City) -> None:
    opened(session)
    seats = {duty.seat.key for duty in duties_of(session, city.organizations["D1"]).values()}
    assert seats == {"D1.P1-1", "D1.P2-1", "D1.P2-2"}
    assert {duty.seat.key for duty in duties_of(session, city.organizations["D2"]).values()} == {"D2.P1-1"}


def test_a_vacant_single_post_gets_its_seat(session: Session, city: City) -> None:
    city.organization("D2-B2", "新设支部", parent="D2-M", level="L3")
    opened(session)
    assert session.scalars(select(Seat).where(Seat.key == "D2-B2.P4-1")).one()
    assert duties_of(session, city.organizations["D2-B2"])


def test_each_organization_has_an_entry_in_its_units_chain_with_the_digest_of_its_duties(
    session: Session, city: City
) -> None:
    opened(session)
    entry = session.scalars(select(LogEntry).where(LogEntry.object_key == "D1-B1", LogEntry.verb == "lay_out")).one()
    assert entry.chain.key == "D1"
    listed = sorted([d.key, d.due_on.isoformat()] for d in duties_of(session, city.organizations["D1-B1"]).values())
    body = session.get_one(LogPayload, entry.payload_id).body
    assert body is not None
    assert digest(canonical_json(listed)).encode() in body
    assert session.scalars(select(LogEntry).where(LogEntry.object_kind == "cycle", LogEntry.verb == "open")).one()


def test_keys_are_built_of_public_ids(session: Session, city: City) -> None:
    opened(session)
    for duty in session.scalars(select(Duty)):
        assert duty.key == f"2026.{duty.seat.key}.{duty.item_id}.{duty.period}.{duty.occurrence}"
        assert item_of(session, duty).id == duty.item_id


def test_a_year_stays_with_its_checklist(session: Session, city: City) -> None:
    opened(session)
    other = published(session)
    session.expunge(other)
    other.id = 999
    with pytest.raises(Conflict, match="不能换用"):
        cycles.open_cycle(session, year=YEAR, version=other, actor=operator(), now=NOW)


def test_laying_again_without_a_change_does_nothing(session: Session, city: City) -> None:
    opened(session)
    entries = count(session, LogEntry)
    assert relaid(session, city, *city.organizations, from_day=date(2026, 1, 1)).total == 0
    assert count(session, LogEntry) == entries


def test_a_branch_founded_in_july_owes_what_ends_from_then_on(session: Session, city: City) -> None:
    opened(session)
    branch = city.organization("D1-B3", "七月支部", parent="D1-M", level="L3")
    change_fact(city, "D1-B3", valid_from=JULY, now=NOW, opened_on=JULY)
    relaid(session, city, "D1-B3", from_day=JULY)
    duties = duties_of(session, branch)
    assert min(duty.ends_on for duty in duties.values()) >= JULY
    assert {"M07", "Q3", "H2", "Y"} <= {duty.period for duty in duties.values()}
    assert "M06" not in {duty.period for duty in duties.values()}


def test_a_closed_branch_keeps_its_past(session: Session, city: City) -> None:
    opened(session)
    branch = change_fact(city, "D1-B2", valid_from=JULY, now=NOW, closed_on=JULY)
    done = relaid(session, city, "D1-B2", from_day=JULY, reason="支部撤销")
    assert done.ended > 0
    kept, gone = duties_of(session, branch), duties_of(session, branch, in_force=False)
    assert max(duty.ends_on for duty in kept.values()) <= JULY
    assert min(duty.ends_on for duty in gone.values()) > JULY
    plan = session.scalars(
        select(DutyPlan).where(DutyPlan.duty_id == next(iter(gone.values())).id).order_by(DutyPlan.id)
    ).all()
    assert [row.in_force for row in plan] == [True, False]
    assert plan[0].superseded_at == NOW
    assert plan[1].reason == "支部撤销"


def test_however_many_duties_end_one_statement_writes_it(session: Session, city: City) -> None:
    opened(session)
    change_fact(city, "D1-B1", valid_from=JULY, now=NOW, closed_on=JULY)
    sent: list[str] = []
    connection = session.connection()

    def note(*arguments: object) -> None:
        sent.append(str(arguments[2]).split("SET")[0].strip())

    event.listen(connection, "before_cursor_execute", note)
    done = relaid(session, city, "D1-B1", from_day=JULY)
    event.remove(connection, "before_cursor_execute", note)
    assert done.ended > 20
    assert sent.count("UPDATE duty") == 1
    ended = session.scalars(select(Duty.version).where(Duty.in_force.is_(False))).all()
    assert ended == [2] * done.ended


def test_a_tag_changed_in_july_changes_what_is_to_come_and_back_again(session: Session, city: City) -> None:
    opened(session)
    branch = city.organizations["D1-B1"]
    before = set(duties_of(session, branch))
    change_fact(city, "D1-B1", valid_from=JULY, now=NOW, tags=[])
    first = relaid(session, city, "D1-B1", from_day=JULY)
    assert first.total > 0
    assert relaid(session, city, "D1-B1", from_day=JULY).total == 0
    past = {key for key in before if session.scalars(select(Duty).where(Duty.key == key)).one().ends_on < JULY}
    assert past <= set(duties_of(session, branch))
    change_fact(city, "D1-B1", valid_from=JULY, now=NOW, tags=["has-committee"])
    relaid(session, city, "D1-B1", from_day=JULY)
    assert set(duties_of(session, branch)) == before


def test_what_asha_has_handed_in_stays_when_the_branch_closes(session: Session, city: City) -> None:
    opened(session)
    branch = city.organizations["D1-B1"]
    duty = next(d for d in duties_of(session, branch).values() if d.ends_on > JULY)
    duty.state, duty.signed_digest, duty.submitted_by_id = State.SUBMITTED, duty.content_digest, city.people["Asha"].id
    session.flush()
    change_fact(city, "D1-B1", valid_from=JULY, now=NOW, closed_on=JULY)
    relaid(session, city, "D1-B1", from_day=JULY)
    assert duty.in_force
    assert duty.state is State.SUBMITTED


def test_a_new_member_gets_the_remaining_windows(session: Session, city: City) -> None:
    opened(session)
    city.appoint("Lan", "D1.P2-3", starts_on=JULY)
    relaid(session, city, "D1", from_day=JULY)
    new = [duty for duty in duties_of(session, city.organizations["D1"]).values() if duty.seat.key == "D1.P2-3"]
    assert new
    assert min(duty.ends_on for duty in new) >= JULY


def test_a_closed_year_is_not_laid_again(session: Session, city: City) -> None:
    cycle = opened(session)
    cycles.close_cycle(session, cycle, actor=city.actor("Adam"), now=NOW)
    assert cycle.state is CycleState.CLOSED
    change_fact(city, "D1-B1", valid_from=JULY, now=NOW, closed_on=JULY)
    assert relaid(session, city, "D1-B1", from_day=JULY).total == 0
    with pytest.raises(WrongState):
        cycles.close_cycle(session, cycle, actor=city.actor("Adam"), now=NOW)
    with pytest.raises(WrongState):
        cycles.open_cycle(session, year=YEAR, version=cycle.checklist_version, actor=operator(), now=NOW)


def an_event_item(session: Session, cycle: Cycle, post: str) -> str:
    items = checklist_of(cycle.checklist_version).items
    return next(i.id for i in items if i.frequency.every == "event" and i.post == post and not i.applies.all_of)


def test_asha_reports_an_event_and_it_becomes_one_duty(session: Session, city: City) -> None:
    item_id = an_event_item(session, opened(session), "P4")
    seat, asha = city.seats["D1-B1.P4-1"], city.actor("Asha")
    report = {"seat": seat, "item_id": item_id, "actor": asha, "now": NOW}
    first = cycles.report_event(session, happened_on=date(2026, 5, 18), what="第一件", **report)
    second = cycles.report_event(session, happened_on=date(2026, 5, 19), what="第二件", **report)
    assert [first.period, second.period] == ["E0001", "E0002"]
    assert first.key == f"2026.D1-B1.P4-1.{item_id}.E0001.1"
    assert first.happening == "第一件"
    assert first.due_on >= first.ends_on == date(2026, 5, 18)
    with pytest.raises(Conflict):
        cycles.report_event(session, happened_on=date(2026, 5, 19), what=" 第二件 ", **report)
    assert relaid(session, city, "D1-B1").total == 0
    assert first.in_force


def test_an_event_is_refused_where_it_cannot_be(session: Session, city: City) -> None:
    item_id = an_event_item(session, opened(session), "P4")
    seat, asha = city.seats["D1-B1.P4-1"], city.actor("Asha")
    report = {"seat": seat, "now": NOW}
    with pytest.raises(Invalid, match="今天之后"):
        cycles.report_event(
            session, item_id=item_id, happened_on=TODAY + timedelta(2), what="明天的事", actor=asha, **report
        )
    with pytest.raises(Invalid, match="一句话"):
        cycles.report_event(session, item_id=item_id, happened_on=TODAY, what="  ", actor=asha, **report)
    with pytest.raises(Invalid, match="没有按发生登记"):
        cycles.report_event(session, item_id="nothing", happened_on=TODAY, what="什么事", actor=asha, **report)
    with pytest.raises(NotAllowed):
        cycles.report_event(
            session, item_id=item_id, happened_on=TODAY, what="别人的事", actor=city.actor("Omar"), **report
        )


DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["D1-B1", "D1-B2", "D2-B1"]),
        DAYS,
        st.sampled_from(
            [{"tags": []}, {"tags": ["has-committee"]}, {"closed_on": date(2026, 10, 1)}, {"closed_on": None}]
        ),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=CHANGES)
def test_whatever_changes_the_duties_in_force_are_those_owed_and_relaying_twice_is_once(
    session: Session, city: City, changes: list[tuple[str, date, dict[str, object]]]
) -> None:
    with session.begin_nested() as savepoint:
        cycle = opened(session)
        for code, day, values in changes:
            change_fact(city, code, valid_from=day, now=NOW, **values)
            relaid(session, city, code, from_day=date(2026, 1, 1))
        assert relaid(session, city, *city.organizations, from_day=date(2026, 1, 1)).total == 0
        keys = session.scalars(select(Duty.key).where(Duty.cycle_id == cycle.id)).all()
        assert len(keys) == len(set(keys))
        in_force = session.scalars(select(Duty.key).where(Duty.in_force.is_(True)))
        plans = (
            select(Duty.key)
            .join(DutyPlan, DutyPlan.duty_id == Duty.id)
            .where(DutyPlan.superseded_at.is_(None), DutyPlan.in_force.is_(True))
        )
        assert sorted(in_force) == sorted(session.scalars(plans))
        savepoint.rollback()
    session.expire_all()
