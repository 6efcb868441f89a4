"""WHO MAY. `can` answers for one object, `visible` is the same rule as a SQL filter; pages, files and jobs ask here.

What a person may do in an organization comes from appointments; inspector, administrator and auditor are roles. A
person sees the subtrees of their own seats, and an inspector what the inspections of their teams cover. Administrators
see the tree, the people and the year, but no evidence; auditors see the logs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    false,
    literal,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session, aliased

from tracker.domain.actor import Actor, RoleName
from tracker.domain.errors import NotAllowed
from tracker.domain.good_practice import GoodPracticeState
from tracker.domain.inspection import InspectionState
from tracker.domain.text import _n
from tracker.models import (
    AccessLog,
    Appointment,
    ChecklistVersion,
    Cycle,
    Duty,
    Evidence,
    EvidenceFile,
    EvidenceLink,
    Finding,
    GoodPractice,
    Handover,
    Inspection,
    InspectionFact,
    InspectionMember,
    InspectionUnit,
    Job,
    LogChain,
    LogEntry,
    LookBackFinding,
    LookBackVerdict,
    Organization,
    OrganizationAncestor,
    Person,
    RectificationStep,
    Seat,
    StoredFile,
)


class Act(StrEnum):
    """What somebody wants to do."""

    VIEW = "view"
    PREPARE = "prepare"  # enter evidence, draft a tick
    SIGN = "sign"  # submit or claim
    WITHDRAW = "withdraw"
    CONFIRM = "confirm"  # confirm, return, accept, refuse, reopen
    REPORT = "report"  # print what an organization did and did not do, or a check with its evidence
    DECIDE = "decide"  # local decisions on what an organization owes
    ADMINISTER = "administer"  # roster, year, checklists, accounts, seals
    INSPECT = "inspect"  # plan a check; judge within it
    RECTIFY = "rectify"  # answer a finding for its organization; what is signed asks for `may_sign` as well
    RECHECK = "recheck"  # give the notice of a finding, decide on more time, look at what was done
    SELF_CHECK = "self_check"  # see and fill in the self-check table of a unit in a check
    HAND_IN = "hand_in"  # hand that table in
    READ_SELF_CHECK = "read_self_check"  # look at that table
    AUDIT = "audit"  # read the logs of everybody
    USE = "use"  # anything a signed-in person may do


@dataclass(frozen=True)
class UnitOfCheck:
    """A unit in a check: what its people may know of the check, and nothing else of it, hangs on this."""

    inspection: Inspection
    unit: Organization


Rule = Callable[[Session, Actor, Any], bool]


class Viewer(Protocol):
    """Whoever looks, as the filters below see them: an actor, or a kind of viewer."""

    @property
    def person_id(self) -> int | BindParameter[int] | None:
        """The row number of the person."""

    @property
    def is_seated(self) -> bool:
        """Whether the person sits anywhere."""

    @property
    def seated_in(self) -> Collection[int] | BindParameter[int]:
        """The organizations (row numbers) in which the person sits."""

    def has(self, role: RoleName, /) -> bool:
        """Whether the account carries the role."""


@dataclass(frozen=True)
class ViewerKind:
    """Everybody with the same roles who sits somewhere, or who does not.

    A statement that everybody's pages begin with is put together once for each kind, which costs more than to run it;
    who looks are its values (`values_of`).
    """

    roles: frozenset[RoleName]
    is_person: bool
    is_seated: bool

    @property
    def person_id(self) -> BindParameter[int] | None:
        """The person, left open."""
        return bindparam("viewer_id") if self.is_person else None

    @property
    def seated_in(self) -> Collection[int] | BindParameter[int]:
        """The organizations, left open."""
        return bindparam("viewer_places", expanding=True) if self.is_seated else ()

    def has(self, role: RoleName) -> bool:
        """Whether these people carry the role."""
        return role in self.roles


def kind_of(actor: Actor) -> ViewerKind:
    """The kind of viewer that this person is."""
    return ViewerKind(actor.roles, actor.person_id is not None, actor.is_seated)


def values_of(actor: Actor) -> dict[str, Any]:
    """What a statement for the kind of this person leaves open."""
    return {"viewer_id": actor.person_id, "viewer_places": list(actor.seated_in)}


def _own_subtree(viewer: Viewer) -> ColumnElement[bool]:
    """Organizations at or below one in which the person sits."""
    if not viewer.is_seated:
        return false()
    below = select(OrganizationAncestor.descendant_id).where(OrganizationAncestor.ancestor_id.in_(viewer.seated_in))
    return Organization.id.in_(below)


def _my_inspections(viewer: Viewer) -> Any:  # noqa: ANN401  a SELECT of inspection ids
    return select(InspectionMember.inspection_id).where(
        InspectionMember.person_id == viewer.person_id, InspectionMember.superseded_at.is_(None)
    )


def _inspects(viewer: Viewer) -> bool:
    return viewer.has(RoleName.INSPECTOR) and viewer.person_id is not None


def _inspected_units(viewer: Viewer) -> Any:  # noqa: ANN401  a SELECT of organization ids
    return select(InspectionUnit.organization_id).where(
        InspectionUnit.inspection_id.in_(_my_inspections(viewer)), InspectionUnit.superseded_at.is_(None)
    )


def _organizations(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.has(RoleName.ADMINISTRATOR):
        return true()
    seen = _own_subtree(viewer)
    if _inspects(viewer):
        seen = or_(seen, Organization.unit_id.in_(_inspected_units(viewer)))
    return seen


def _subtree_of(viewer: Viewer, column: Any) -> ColumnElement[bool]:  # noqa: ANN401  a column of organization ids
    inside: ColumnElement[bool] = column.in_(select(Organization.id).where(_own_subtree(viewer)))
    return inside


def _item_in_scope(fact: Any, item_id: Any) -> ColumnElement[bool]:  # noqa: ANN401  aliased entity and column
    """An inspection's list of items is empty (all of them) or contains the item; it is stored as JSON."""
    listed = cast(fact.items, Text)
    return or_(listed == "[]", listed.like(literal('%"').concat(item_id).concat('"%')))


def _inspected_duties(viewer: Viewer) -> ColumnElement[bool]:
    fact, unit = aliased(InspectionFact), aliased(InspectionUnit)
    return (
        select(fact.id)
        .join(unit, and_(unit.inspection_id == fact.inspection_id, unit.superseded_at.is_(None)))
        .where(
            fact.superseded_at.is_(None),
            fact.inspection_id.in_(_my_inspections(viewer)),
            unit.organization_id == Duty.unit_id,
            fact.period_starts_on <= Duty.period_ends_on,
            fact.period_ends_on >= Duty.period_starts_on,
            _item_in_scope(fact, Duty.item_id),
        )
        .correlate(Duty)
        .exists()
    )


def _duties(viewer: Viewer) -> ColumnElement[bool]:
    seen = _subtree_of(viewer, Duty.organization_id)
    if _inspects(viewer):
        seen = or_(seen, _inspected_duties(viewer))
    return seen


def _evidence(viewer: Viewer) -> ColumnElement[bool]:
    """Records of the own subtree, and records that serve a duty that is seen."""
    served = (
        select(EvidenceLink.evidence_id)
        .join(Duty, Duty.id == EvidenceLink.duty_id)
        .where(EvidenceLink.evidence_id == Evidence.id, EvidenceLink.superseded_at.is_(None), _duties(viewer))
        .correlate(Evidence)
        .exists()
    )
    seen = or_(_subtree_of(viewer, Evidence.organization_id), served)
    return or_(seen, Evidence.id.in_(_shown_to_team(viewer))) if _inspects(viewer) else seen


def _shown_to_team(viewer: Viewer) -> Any:  # noqa: ANN401  a SELECT of evidence ids
    """What units attached to the findings that the person's checks found or look back at, whatever duty it serves."""
    return (
        select(RectificationStep.evidence_id)
        .join(Finding, Finding.id == RectificationStep.finding_id)
        .where(
            RectificationStep.evidence_id.is_not(None),
            or_(Finding.inspection_id.in_(_my_inspections(viewer)), Finding.id.in_(_looked_back_at(viewer))),
        )
    )


def _evidence_files(viewer: Viewer) -> ColumnElement[bool]:
    records = select(Evidence.id).where(Evidence.id == EvidenceFile.evidence_id, _evidence(viewer))
    return records.correlate(EvidenceFile).exists()


def _stored_files(viewer: Viewer) -> ColumnElement[bool]:
    files = select(EvidenceFile.id).where(EvidenceFile.stored_file_id == StoredFile.id, _evidence_files(viewer))
    return files.correlate(StoredFile).exists()


def _inspections(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.has(RoleName.ADMINISTRATOR):
        return true()
    return Inspection.id.in_(_my_inspections(viewer)) if _inspects(viewer) else false()


def _findings(viewer: Viewer) -> ColumnElement[bool]:
    """Those of the own subtree, those of the own checks, and those that an own check looks back at."""
    seen = or_(
        _subtree_of(viewer, Finding.unit_id),
        _subtree_of(viewer, Finding.organization_id),
        Finding.inspection_id.in_(select(Inspection.id).where(_inspections(viewer))),
    )
    return or_(seen, Finding.id.in_(_looked_back_at(viewer))) if _inspects(viewer) else seen


def _looked_back_at(viewer: Viewer) -> Any:  # noqa: ANN401  a SELECT of finding ids
    return select(LookBackFinding.finding_id).where(
        LookBackFinding.inspection_id.in_(_my_inspections(viewer)), LookBackFinding.superseded_at.is_(None)
    )


def _good_practice(viewer: Viewer) -> ColumnElement[bool]:
    """What was agreed to is there for everybody; before that, for those whose record it is and for the team."""
    if viewer.person_id is None:
        return false()
    own = select(Evidence.id).where(_subtree_of(viewer, Evidence.organization_id))
    return or_(
        GoodPractice.state == GoodPracticeState.AGREED,
        GoodPractice.evidence_id.in_(own),
        GoodPractice.inspection_id.in_(select(Inspection.id).where(_inspections(viewer))),
    )


def _seats(viewer: Viewer) -> ColumnElement[bool]:
    return Seat.organization_id.in_(select(Organization.id).where(_organizations(viewer)))


def _handovers(viewer: Viewer) -> ColumnElement[bool]:
    parties = select(Appointment.id).where(Appointment.person_id == viewer.person_id)
    own = or_(Handover.outgoing_id.in_(parties), Handover.incoming_id.in_(parties))
    return or_(own, Handover.seat_id.in_(select(Seat.id).where(_subtree_of(viewer, Seat.organization_id))))


def _people(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.has(RoleName.ADMINISTRATOR):
        return true()
    seated = select(Appointment.person_id).join(Seat, Seat.id == Appointment.seat_id).where(_seats(viewer))
    return or_(Person.id == viewer.person_id, Person.id.in_(seated))


def _jobs(viewer: Viewer) -> ColumnElement[bool]:
    return Job.asked_by_id == viewer.person_id


def _everybody(viewer: Viewer) -> ColumnElement[bool]:
    return true() if viewer.person_id is not None else false()


def _log_entries(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.has(RoleName.AUDITOR):
        return true()
    units = select(Organization.code).where(_own_subtree(viewer), Organization.is_unit.is_(True))
    own = LogEntry.chain_id.in_(select(LogChain.id).where(LogChain.key.in_(units)))
    return and_(own, not_(_of_running_check(viewer)))


# What a team does on its own; what a check tells the units (findings, self-check tables, steps) is not among it.
_TEAM_VERBS = (
    "circular.save",
    "inspection.judge",
    "inspection.overrule",
    "inspection.plan",
    "inspection.rank",
    "inspection.sample",
    "inspection.team",
    "look_back.draw",
)


def _of_running_check(viewer: Viewer) -> ColumnElement[bool]:
    """Entries about the work of a team whose check is not closed yet, and of which the person is no member."""
    running = Inspection.state != InspectionState.CLOSED
    if _inspects(viewer):
        running = and_(running, Inspection.id.not_in(_my_inspections(viewer)))
    numbers = select(cast(Inspection.number, Text)).where(running)
    judged = select(LookBackVerdict.finding_id).where(
        LookBackVerdict.inspection_id.in_(select(Inspection.id).where(running))
    )
    looked_back = LogEntry.object_key.in_(select(Finding.key).where(Finding.id.in_(judged)))
    return or_(
        and_(LogEntry.object_kind == "inspection", LogEntry.verb.in_(_TEAM_VERBS), LogEntry.object_key.in_(numbers)),
        and_(LogEntry.verb == "look_back.judge", looked_back),
    )


def _access_log(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.has(RoleName.AUDITOR):
        return true()
    units = select(Organization.id).where(_own_subtree(viewer), Organization.is_unit.is_(True))
    return AccessLog.unit_id.in_(units)


_VISIBLE: dict[type[Any], Callable[[Viewer], ColumnElement[bool]]] = {
    AccessLog: _access_log,
    ChecklistVersion: _everybody,
    Cycle: _everybody,
    Duty: _duties,
    Evidence: _evidence,
    EvidenceFile: _evidence_files,
    Finding: _findings,
    GoodPractice: _good_practice,
    Handover: _handovers,
    Inspection: _inspections,
    Job: _jobs,
    LogEntry: _log_entries,
    Organization: _organizations,
    Person: _people,
    Seat: _seats,
    StoredFile: _stored_files,
}


def visible(viewer: Viewer, model: type[Any]) -> ColumnElement[bool]:
    """Return the filter on `model` that leaves what this person may see."""
    return _VISIBLE[model](viewer)


def sees(session: Session, actor: Actor, thing: Any) -> bool:  # noqa: ANN401  any model in the table above
    """Whether this person may see this object."""
    if isinstance(thing, Duty) and any(sitting.organization_id == thing.organization_id for sitting in actor.sittings):
        return True  # of the own organization; no need to ask
    model: Any = type(thing)
    query = _seen(model, kind_of(actor))
    return session.scalar(query, {"thing": thing.id, **values_of(actor)}) is not None


@cache
def _seen(model: Any, kind: ViewerKind) -> Any:  # noqa: ANN401  a model; a SELECT
    """The object of that number, if viewers of this kind see it."""
    return select(model.id).where(model.id == bindparam("thing"), visible(kind, model))


def _sits_above(session: Session, actor: Actor, organization: Organization) -> bool:
    """Whether the person signs for an organization that is properly above this one."""
    seats = {sitting.organization_id for sitting in actor.sittings if sitting.may_sign}
    above = select(OrganizationAncestor.ancestor_id).where(
        OrganizationAncestor.descendant_id == organization.id, OrganizationAncestor.distance > 0
    )
    return bool(seats & set(session.scalars(above)))


def _may_sign_duty(_: Session, actor: Actor, duty: Duty) -> bool:
    sitting = actor.sitting_in(duty.seat_id)
    return sitting is not None and sitting.may_sign


def _may_prepare(_: Session, actor: Actor, thing: Any) -> bool:  # noqa: ANN401  a duty, a record or an organization
    if isinstance(thing, Duty):
        return actor.sitting_in(thing.seat_id) is not None
    organization_id = thing.organization_id if isinstance(thing, Evidence) else thing.id
    return any(sitting.organization_id == organization_id for sitting in actor.sittings)


def _may_confirm(session: Session, actor: Actor, thing: Any) -> bool:  # noqa: ANN401  a duty, or a good practice
    if isinstance(thing, GoodPractice):  # whoever signs for the unit itself
        return any(sitting.may_sign and sitting.organization_id == thing.unit_id for sitting in actor.sittings)
    duty: Duty = thing
    if duty.waiting_seat_id is None:
        return _might_confirm(session, actor, duty)
    sitting = actor.sitting_in(duty.waiting_seat_id)
    return sitting is not None and sitting.may_sign


def _might_confirm(session: Session, actor: Actor, duty: Duty) -> bool:
    """Whether the person signs, in another seat, at or above the place of a duty that waits for nobody, or no longer.

    For whom it would wait hangs on the checklist and on who had a hand in it: the service finds that out, and tells
    the right one that it is not the time and everybody else that it is not theirs.
    """
    seats = {s.organization_id for s in actor.sittings if s.may_sign and s.seat_id != duty.seat_id}
    above = select(OrganizationAncestor.ancestor_id).where(OrganizationAncestor.descendant_id == duty.organization_id)
    return bool(seats & set(session.scalars(above)))


@cache
def _member_of(kind: ViewerKind) -> Select[int]:
    """The check of that number, if viewers of this kind are in its team."""
    return select(Inspection.id).where(Inspection.id == bindparam("check"), Inspection.id.in_(_my_inspections(kind)))


def _is_in_team(session: Session, actor: Actor, inspection_id: int) -> bool:
    asked = {"check": inspection_id, **values_of(actor)}
    return session.scalar(_member_of(kind_of(actor)), asked) is not None


def _may_withdraw(session: Session, actor: Actor, thing: Any) -> bool:  # noqa: ANN401  a duty, or a good practice
    if isinstance(thing, GoodPractice):
        return _inspects(actor) and _is_in_team(session, actor, thing.inspection_id)
    return actor.person_id is not None and bool(thing.submitted_by_id == actor.person_id)


def _may_inspect(session: Session, actor: Actor, inspection: Inspection | None) -> bool:
    if inspection is None:
        return actor.has(RoleName.INSPECTOR) or actor.has(RoleName.ADMINISTRATOR)
    if inspection.state is InspectionState.CLOSED or not _inspects(actor):
        return False
    return _is_in_team(session, actor, inspection.id)


def _may_report(session: Session, actor: Actor, thing: Any) -> bool:  # noqa: ANN401  an organization or a check
    """Who sees all its duties: those seated at or above it, or the team of the check. An administrator sees none."""
    if isinstance(thing, Inspection):
        return _inspects(actor) and _is_in_team(session, actor, thing.id)
    if any(sitting.organization_id == thing.id for sitting in actor.sittings):
        return True
    return session.scalar(_at_or_below(kind_of(actor)), {"thing": thing.id, **values_of(actor)}) is not None


@cache
def _at_or_below(kind: ViewerKind) -> Select[int]:
    """The organization of that number, if viewers of this kind sit at or above it."""
    return select(Organization.id).where(Organization.id == bindparam("thing"), _own_subtree(kind))


def rectifies(session: Session, actor: Actor, finding: Finding) -> frozenset[bool]:
    """How the person sits at the organization of a finding, or above it in its unit: True for a seat that signs."""
    if not actor.sittings:
        return frozenset()
    inside = (
        select(OrganizationAncestor.ancestor_id)
        .join(Organization, Organization.id == OrganizationAncestor.ancestor_id)
        .where(
            OrganizationAncestor.descendant_id == finding.organization_id,
            Organization.unit_id == finding.unit_id,
        )
    )
    answerable = set(session.scalars(inside))
    return frozenset(sitting.may_sign for sitting in actor.sittings if sitting.organization_id in answerable)


def findings_to(viewer: Viewer, act: Act) -> ColumnElement[bool]:
    """The findings that this person may answer (RECTIFY) or look at again (RECHECK), as a filter."""
    if act is Act.RECHECK:
        return Finding.inspection_id.in_(_my_inspections(viewer)) if _inspects(viewer) else false()
    seated, node = aliased(Organization), aliased(Organization)
    below = (
        select(OrganizationAncestor.descendant_id)
        .join(seated, seated.id == OrganizationAncestor.ancestor_id)
        .join(node, node.id == OrganizationAncestor.descendant_id)
        .where(OrganizationAncestor.ancestor_id.in_(viewer.seated_in), seated.unit_id == node.unit_id)
    )
    return Finding.organization_id.in_(below)


def _may_recheck(session: Session, actor: Actor, finding: Finding) -> bool:
    """The team of the check, also once the check is closed."""
    return _inspects(actor) and _is_in_team(session, actor, finding.inspection_id)


def _asked_to_check_itself(session: Session, inspection: Inspection, unit: Organization) -> bool:
    """Whether the check visits the unit and asks it for a table; a check that asks for none is not announced."""
    asked = (
        select(InspectionUnit.id)
        .join(InspectionFact, InspectionFact.inspection_id == InspectionUnit.inspection_id)
        .where(
            InspectionUnit.inspection_id == inspection.id,
            InspectionUnit.organization_id == unit.id,
            InspectionUnit.superseded_at.is_(None),
            InspectionFact.superseded_at.is_(None),
            InspectionFact.self_check_due_on.is_not(None),
        )
    )
    return session.scalar(asked) is not None


def _may_self_check(session: Session, actor: Actor, place: UnitOfCheck) -> bool:
    """Those who sit at the top of the unit itself, clerks among them."""
    seated = any(sitting.organization_id == place.unit.id for sitting in actor.sittings)
    return seated and _asked_to_check_itself(session, place.inspection, place.unit)


def _may_hand_in(session: Session, actor: Actor, place: UnitOfCheck) -> bool:
    signs = any(sitting.may_sign and sitting.organization_id == place.unit.id for sitting in actor.sittings)
    return signs and _asked_to_check_itself(session, place.inspection, place.unit)


def _may_read_self_check(session: Session, actor: Actor, place: UnitOfCheck) -> bool:
    """The people of the unit, and the team of the check."""
    if _may_self_check(session, actor, place):
        return True
    return _may_report(session, actor, place.inspection) and _asked_to_check_itself(
        session, place.inspection, place.unit
    )


def _may_decide(session: Session, actor: Actor, organization: Organization) -> bool:
    return actor.has(RoleName.ADMINISTRATOR) or _sits_above(session, actor, organization)


_RULES: dict[Act, Rule] = {
    Act.VIEW: lambda session, actor, thing: thing is None or sees(session, actor, thing),
    Act.PREPARE: _may_prepare,
    Act.SIGN: _may_sign_duty,
    Act.WITHDRAW: _may_withdraw,
    Act.CONFIRM: _may_confirm,
    Act.REPORT: _may_report,
    Act.DECIDE: _may_decide,
    Act.ADMINISTER: lambda _, actor, __: actor.has(RoleName.ADMINISTRATOR),
    Act.INSPECT: _may_inspect,
    Act.RECTIFY: lambda session, actor, finding: bool(rectifies(session, actor, finding)),
    Act.RECHECK: _may_recheck,
    Act.SELF_CHECK: _may_self_check,
    Act.HAND_IN: _may_hand_in,
    Act.READ_SELF_CHECK: _may_read_self_check,
    Act.AUDIT: lambda _, actor, __: actor.has(RoleName.AUDITOR),
    Act.USE: lambda _, actor, __: actor.person_id is not None,
}


def can(session: Session, actor: Actor, act: Act, thing: Any = None) -> bool:  # noqa: ANN401  any model, or None
    """Whether this person may do this to this object (or at all, where there is no object)."""
    return _RULES[act](session, actor, thing)


def require(session: Session, actor: Actor, act: Act, thing: Any = None) -> None:  # noqa: ANN401  any model, or None
    """Raise `NotAllowed` unless this person may; services ask inside the transaction that writes."""
    if not can(session, actor, act, thing):
        raise NotAllowed(_n("您没有办理这件事的权限。如有疑问，请联系本单位管理员核对任职和角色。"))
