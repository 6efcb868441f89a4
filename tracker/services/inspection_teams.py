"""Who is in the team of a check: changed by an administrator, also after the check is closed and findings are open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Invalid
from tracker.domain.inspection import MemberRole
from tracker.domain.text import _n
from tracker.models import Inspection, InspectionMember, Person
from tracker.policy import Act, require
from tracker.queries.history import known
from tracker.queries.inspections import inspectors_to_choose, units_of
from tracker.services import log

Pair = tuple[Person, MemberRole]


def set_team(
    session: Session,
    inspection: Inspection,
    team: Sequence[Pair],
    *,
    actor: Actor,
    now: datetime,
) -> bool:
    """Put this team in place of the present one; return whether anything changed.

    Whoever leaves sees the check no longer, and what they did stays under their name; whoever comes sees all of it.
    """
    require(session, actor, Act.ADMINISTER)
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    present = {row.person_id: row for row in session.scalars(_members(inspection))}
    wanted = {person.id: (person, role) for person, role in team}
    _check(session, wanted, present)
    gone = [row for number, row in present.items() if number not in wanted or wanted[number][1] is not row.role]
    for row in gone:
        row.superseded_at = now
    session.flush()
    come = wanted.keys() - (present.keys() - {row.person_id for row in gone})
    session.add_all(
        InspectionMember(inspection_id=inspection.id, person_id=number, role=wanted[number][1], recorded_at=now)
        for number in sorted(come)
    )
    session.flush()
    if not gone and not come:
        return False
    before = {"team": _told((row.person, row.role) for row in present.values())}
    _log(session, inspection, before=before, after={"team": _told(wanted.values())}, actor=actor, now=now)
    return True


def _members(inspection: Inspection) -> Select[InspectionMember]:
    return select(InspectionMember).where(InspectionMember.inspection_id == inspection.id, known(InspectionMember))


def _check(session: Session, wanted: Mapping[int, Pair], present: Collection[int]) -> None:
    if [role for _, role in wanted.values()].count(MemberRole.LEADER) != 1:
        raise Invalid(_n("检查组须有一名组长，请选择。"), field="leader")
    inspectors = {person.id for person in inspectors_to_choose(session)}
    for number, (person, _) in wanted.items():
        if number not in inspectors and number not in present:
            message = _n("%(name)s不是督查人员，不能进入检查组；请先在账号页面授予角色。")
            raise Invalid(message, field="members", name=person.name)


def _told(team: Iterable[Pair]) -> list[str]:
    return sorted(f"{person.key}:{role.value}" for person, role in team)


def _log(
    session: Session, inspection: Inspection, *, before: object, after: object, actor: Actor, now: datetime
) -> None:
    log.record(
        session,
        actor=actor,
        now=now,
        verb="inspection.team",
        kind="inspection",
        key=str(inspection.number),
        chains={unit.code for unit in units_of(session, inspection)},
        before=before,
        after=after,
    )
