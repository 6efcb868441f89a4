from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City
from tests.years import duties_of, opened
from tracker.domain.actor import operator
from tracker.domain.applicability import DecisionKind
from tracker.domain.checklist import Item
from tracker.domain.duty import State
from tracker.domain.errors import Conflict, Invalid, NotAllowed, WrongState
from tracker.models import Cycle, Decision, DutyPlan, LogEntry
from tracker.queries.assignments import decision_history, items_of_year, owed_by, switched_off_for
from tracker.queries.checklists import checklist_of
from tracker.services import assignments, cycles

LATER = NOW + timedelta(days=60)
OWN = {
    "id": "U-01",
    "level": "L3",
    "duty": "individual",
    "responsibility": "post",
    "post": "P4",
    "confirmer": "P3",
    "dimension": "A",
    "title": "林区防火宣传",
    "requirement": "每季度到林场宣传一次。",
    "frequency": {"every": "quarter", "label": "每季度", "basis": "local"},
    "evidence": [],
}
TWICE = {"every": "year", "times": 2, "label": "两次", "basis": "local", "windows": [{"from": "01-01", "to": "02-01"}]}


def item_every(cycle: Cycle, every: str, *, post: str = "P4", basis: str | None = None) -> Item:
    for item in checklist_of(cycle.checklist_version).items:
        frequency = item.frequency
        if frequency.every == every and item.post == post and basis in (None, frequency.basis) and not item.retired:
            return item
    raise LookupError(every)


def decide(
    session: Session, city: City, cycle: Cycle, who: str = "Chen", code: str = "D1-B1", **values: Any
) -> Decision:
    asked = {"reason": "结合实际", "effective_from": TODAY, "now": NOW} | values
    return assignments.decide(
        session, cycle=cycle, organization=city.organizations[code], actor=city.actor(who), **asked
    )


def test_chen_switches_an_item_off_and_the_past_is_kept(session: Session, city: City) -> None:
    cycle = opened(session)
    item = item_every(cycle, "month")
    row = decide(session, city, cycle, kind=DecisionKind.OFF, item_id=item.id, reason="本支部无此项工作")
    assert row.key == "2026.D1-B1.D1"
    assert row.decided_as == "D1-M.P3-1#1"
    branch = city.organizations["D1-B1"]
    of_item = [duty for duty in duties_of(session, branch, in_force=None).values() if duty.item_id == item.id]
    assert {duty.period for duty in of_item if duty.in_force} == {"M01", "M02", "M03", "M04"}
    ended = next(duty for duty in of_item if duty.period == "M06")
    plan = session.scalars(select(DutyPlan).where(DutyPlan.duty_id == ended.id, DutyPlan.superseded_at.is_(None))).one()
    assert plan.reason == "本支部无此项工作"
    assert item.id in {off.item.id for off in switched_off_for(session, branch, cycle=cycle, on=TODAY)}
    assert item.id not in {owed.item.id for owed in owed_by(session, branch, cycle=cycle, on=TODAY)}
    assert item.id in {owed.item.id for owed in owed_by(session, branch, cycle=cycle, on=date(2026, 5, 1))}
    entry = session.scalars(select(LogEntry).where(LogEntry.verb == "decide")).one()
    assert entry.chain.key == "D1"
    assert entry.appointment == "D1-M.P3-1#1"


def test_a_decision_asks_for_a_reason(session: Session, city: City) -> None:
    cycle = opened(session)
    with pytest.raises(Invalid, match="理由"):
        decide(session, city, cycle, kind=DecisionKind.OFF, item_id=item_every(cycle, "month").id, reason=" ")


def test_asha_cannot_decide_about_her_own_branch_nor_cao_about_another_unit(session: Session, city: City) -> None:
    cycle = opened(session)
    for who in ("Asha", "Cao", "Ines"):
        with pytest.raises(NotAllowed):
            decide(session, city, cycle, who, kind=DecisionKind.OFF, item_id=item_every(cycle, "month").id)
    assert session.scalars(select(Decision)).all() == []


def test_only_adam_may_let_a_decision_begin_before_today(session: Session, city: City) -> None:
    cycle = opened(session)
    asked = {"kind": DecisionKind.OFF, "item_id": item_every(cycle, "month").id, "effective_from": date(2026, 3, 1)}
    with pytest.raises(Invalid, match="不能早于今天"):
        decide(session, city, cycle, **asked)
    assert decide(session, city, cycle, "Adam", **asked).decided_as == "administrator"


def test_the_same_decision_twice_is_one(session: Session, city: City) -> None:
    cycle = opened(session)
    asked = {"kind": DecisionKind.OFF, "item_id": item_every(cycle, "month").id}
    assert decide(session, city, cycle, **asked) is decide(session, city, cycle, **asked)


def test_an_item_given_to_another_post_is_owed_by_its_seats(session: Session, city: City) -> None:
    cycle = opened(session)
    decide(session, city, cycle, "Rong", "D1", kind=DecisionKind.GIVE, item_id="L1-18", post="P2")
    duties = [duty for duty in duties_of(session, city.organizations["D1"]).values() if duty.item_id == "L1-18"]
    assert {(duty.seat.key, duty.period) for duty in duties} == {
        (seat, period) for seat in ("D1.P2-1", "D1.P2-2") for period in ("H1", "H2")
    }
    assert {duty.post for duty in duties} == {"P2"}
    with pytest.raises(Invalid, match="同一层级"):
        decide(session, city, cycle, "Rong", "D1", kind=DecisionKind.GIVE, item_id="L1-18", post="P4")


def test_what_is_handed_in_is_not_asked_of_another_post(session: Session, city: City) -> None:
    cycle = opened(session)
    item = next(
        i
        for i in checklist_of(cycle.checklist_version).items
        if i.post == "P1" and i.frequency.every == "quarter" and not i.applies.all_of
    )
    duty = duties_of(session, city.organizations["D1"])[f"2026.D1.P1-1.{item.id}.Q2.1"]
    duty.state, duty.signed_digest, duty.submitted_by_id = State.SUBMITTED, duty.content_digest, city.people["Dong"].id
    session.flush()
    decide(session, city, cycle, "Rong", "D1", kind=DecisionKind.GIVE, item_id=item.id, post="P2")
    second = [
        d.seat.key
        for d in duties_of(session, city.organizations["D1"]).values()
        if d.item_id == item.id and d.period == "Q2"
    ]
    assert second == ["D1.P1-1"]


def test_more_often_adds_occurrences_and_never_undercuts_a_regulation(session: Session, city: City) -> None:
    cycle = opened(session)
    item = item_every(cycle, "quarter", basis="regulation")
    decide(session, city, cycle, kind=DecisionKind.MORE, item_id=item.id, times=item.frequency.times + 1)
    periods = [
        (duty.period, duty.occurrence)
        for duty in duties_of(session, city.organizations["D1-B1"]).values()
        if duty.item_id == item.id and duty.occurrence > item.frequency.times
    ]
    assert [period for period, _ in periods] == ["Q2", "Q3", "Q4"]
    with pytest.raises(Invalid, match="不能少于"):
        decide(session, city, cycle, "Rong", "D1", kind=DecisionKind.MORE, item_id="L1-06", times=1)


def test_an_item_of_its_own_becomes_duties_with_no_points(session: Session, city: City) -> None:
    cycle = opened(session)
    decide(session, city, cycle, kind=DecisionKind.OWN, item_id="U-01", item=OWN)
    keys = [key for key in duties_of(session, city.organizations["D1-B1"]) if ".U-01." in key]
    assert keys == [f"2026.D1-B1.P4-1.U-01.Q{number}.1" for number in (2, 3, 4)]
    assert items_of_year(session, cycle)["U-01"].points == 0
    with pytest.raises(Conflict, match="换一个编号"):
        decide(session, city, cycle, code="D1-B2", kind=DecisionKind.OWN, item_id="U-01", item=OWN | {"title": "别的"})
    decide(session, city, cycle, code="D1-B2", kind=DecisionKind.OWN, item_id="U-01", item=OWN)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "X-01"}, "U-"),
        ({"post": "P1"}, "岗位"),
        ({"confirmer": "P4"}, "高于"),
        ({"dimension": "nowhere"}, "nowhere"),
        ({"title": ""}, "title"),
        ({"frequency": TWICE}, "2 个"),
    ],
)
def test_an_own_item_must_fit_the_checklist(
    session: Session, city: City, change: dict[str, Any], message: str
) -> None:
    cycle = opened(session)
    item = OWN | change
    with pytest.raises(Invalid, match=message):
        decide(session, city, cycle, kind=DecisionKind.OWN, item_id=str(item["id"]), item=item)


def test_a_decision_taken_back_stops_from_that_day_and_stays_in_the_history(session: Session, city: City) -> None:
    cycle = opened(session)
    item = item_every(cycle, "month")
    branch = city.organizations["D1-B1"]
    row = decide(session, city, cycle, kind=DecisionKind.OFF, item_id=item.id)
    assignments.take_back(session, row, reason="恢复", actor=city.actor("Chen"), now=LATER)
    periods = [d.period for d in duties_of(session, branch).values() if d.item_id == item.id]
    assert periods == ["M01", "M02", "M03", "M04", "M07", "M08", "M09", "M10", "M11", "M12"]
    everything = {"organizations": [branch], "from_day": date(2026, 1, 1), "reason": "复核"}
    assert cycles.relay(session, actor=operator(), now=LATER, **everything).total == 0
    history = decision_history(session, branch, cycle=cycle)
    assert [(entry.in_force, entry.superseded_at) for entry in history] == [(True, LATER), (False, None)]
    with pytest.raises(WrongState):
        assignments.take_back(session, row, reason="再来", actor=city.actor("Chen"), now=LATER)
    owed = owed_by(session, branch, cycle=cycle, on=date(2026, 6, 15), as_of=NOW)
    assert item.id not in {one.item.id for one in owed}


def test_as_of_tells_what_was_known_then(session: Session, city: City) -> None:
    cycle = opened(session)
    item = item_every(cycle, "month")
    decide(session, city, cycle, kind=DecisionKind.OFF, item_id=item.id, now=NOW)
    branch = city.organizations["D1-B1"]
    then = owed_by(session, branch, cycle=cycle, on=date(2026, 8, 1), as_of=NOW - timedelta(days=1))
    assert item.id in {one.item.id for one in then}


@dataclass(frozen=True)
class Line:
    row: int
    organization: str
    kind: DecisionKind
    item_id: str
    year: int = 2026
    post: str | None = None
    seat: str | None = None
    times: int | None = None
    reason: str = "按名册"
    effective_from: date = date(2026, 1, 1)
    item: dict[str, Any] | None = None


def test_rows_of_a_file_are_applied_and_every_refusal_is_told(session: Session, city: City) -> None:
    cycle = opened(session)
    item = item_every(cycle, "month")
    rows = [
        Line(2, "D1-B1", DecisionKind.OFF, item.id),
        Line(3, "NOWHERE", DecisionKind.OFF, item.id),
        Line(4, "D1-B2", DecisionKind.OWN, "U-01", item=OWN),
        Line(5, "D1-B2", DecisionKind.OFF, "no-such-item"),
    ]
    done = assignments.apply_rows(session, rows, actor=operator(), now=NOW)
    assert (done.decided, [number for number, _ in done.refusals]) == (2, [3, 5])
    again = assignments.apply_rows(session, [rows[0], rows[2]], actor=operator(), now=LATER)
    assert (again.decided, again.unchanged, again.refusals) == (0, 2, [])
    assert session.scalar(select(func.count()).select_from(Decision)) == 2
    assert item.id not in {duty.item_id for duty in duties_of(session, city.organizations["D1-B1"]).values()}
