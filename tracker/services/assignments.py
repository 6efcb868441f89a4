"""Local decisions on what an organization owes: switched off, given to another post, asked more often, an own item.

Each is followed by laying out again what is to come. Who decided, as what, when and why is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, RoleName
from tracker.domain.applicability import Decision, DecisionKind, check_decision
from tracker.domain.checklist import Checklist, Item, item_digest
from tracker.domain.errors import Conflict, Invalid, RuleError, WrongState
from tracker.domain.own_item import read_own_item
from tracker.domain.text import _n
from tracker.models import Cycle, CycleState, Organization, OrganizationAncestor
from tracker.models import Decision as DecisionRow
from tracker.policy import Act, require
from tracker.queries.assignments import decisions_for, holding_of, own_items, posts_of
from tracker.queries.checklists import checklist_of
from tracker.queries.cycles import cycle_of
from tracker.queries.history import SHANGHAI
from tracker.services import cycles, log

REASON_LENGTH = 500


class Row(Protocol):
    """A row of a file that asks for a decision; `row` is its number. `item`: an own item in the checklist's form."""

    @property
    def row(self) -> int: ...  # noqa: D102
    @property
    def year(self) -> int: ...  # noqa: D102
    @property
    def organization(self) -> str: ...  # noqa: D102
    @property
    def item_id(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> DecisionKind: ...  # noqa: D102
    @property
    def post(self) -> str | None: ...  # noqa: D102
    @property
    def seat(self) -> str | None: ...  # noqa: D102
    @property
    def times(self) -> int | None: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def effective_from(self) -> date: ...  # noqa: D102
    @property
    def item(self) -> Mapping[str, Any] | None: ...  # noqa: D102


@dataclass
class Applied:
    """What applying rows did: how many decisions are new, and what was refused, by the number of the row."""

    decided: int = 0
    unchanged: int = 0
    refusals: list[tuple[int, RuleError]] = field(default_factory=list)


def decide(
    session: Session,
    *,
    cycle: Cycle,
    organization: Organization,
    kind: DecisionKind,
    item_id: str,
    reason: str,
    effective_from: date,
    post: str | None = None,
    times: int | None = None,
    item: Mapping[str, Any] | None = None,
    actor: Actor,
    now: datetime,
) -> DecisionRow:
    """Decide about an item of an organization, from a day of the year on; the same decision twice is one.

    `item` is the text of an own item in the checklist's form. A decision of the same kind about the same item from the
    same day takes the place of the one before. Only administrators may let a decision begin before today.
    Raises NotAllowed, Invalid, WrongState (the year is closed), Conflict (the number of an own item is taken).
    """
    require(session, actor, Act.DECIDE, organization)
    _check_open(cycle)
    _check_day(cycle, effective_from, actor=actor, now=now)
    wanted = _Wanted(session, cycle, organization, on=effective_from)
    decision = wanted.decision(
        Decision(kind, item_id.strip(), reason.strip(), effective_from, post=post, times=times), item
    )
    before = _same_place(decisions_for(session, organization, cycle=cycle), decision)
    values = _values(decision)
    if before is not None and _values_of(before) == values:
        return before
    row = DecisionRow(
        key=before.key if before else _next_key(session, cycle, organization),
        cycle_id=cycle.id,
        organization_id=organization.id,
        in_force=True,
        decided_by_id=actor.person_id,
        decided_as=_standing_of(session, actor, organization),
        recorded_at=now,
        **values,
    )
    _record(session, row, before, organization=organization, actor=actor, now=now, verb="decide")
    cycles.relay(
        session, organizations=[organization], from_day=effective_from, actor=actor, now=now, reason=decision.reason
    )
    return row


def take_back(
    session: Session,
    decision: DecisionRow,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
    effective_from: date | None = None,
) -> DecisionRow:
    """Take a decision back from a day on (today by default); what it did before that day stays.

    Raises NotAllowed, Invalid, WrongState (taken back already, replaced meanwhile, or the year is closed).
    """
    organization = decision.organization
    require(session, actor, Act.DECIDE, organization)
    cycle = session.get_one(Cycle, decision.cycle_id)
    _check_open(cycle)
    day = max(effective_from or now.astimezone(SHANGHAI).date(), decision.effective_from)
    _check_day(cycle, day, actor=actor, now=now)
    if not reason.strip():
        raise Invalid(_n("请写明撤回决定的理由。"), field="reason")
    if decision.superseded_at is not None or not decision.in_force:
        raise WrongState(_n("这项决定已经撤回或者被新的决定代替，请刷新页面查看。"))
    row = DecisionRow(
        key=decision.key,
        cycle_id=cycle.id,
        organization_id=organization.id,
        in_force=False,
        decided_by_id=actor.person_id,
        decided_as=_standing_of(session, actor, organization),
        recorded_at=now,
        **(_values_of(decision) | {"reason": _short(reason), "effective_from": day}),
    )
    _record(session, row, decision, organization=organization, actor=actor, now=now, verb="take_back")
    cycles.relay(session, organizations=[organization], from_day=day, actor=actor, now=now, reason=row.reason)
    return row


def apply_rows(session: Session, rows: Iterable[Row], *, actor: Actor, now: datetime) -> Applied:
    """Decide what rows of a file ask for. Every refusal is collected; if there is one, the caller undoes all of it."""
    done = Applied()
    for row in rows:
        try:
            recorded_before = _count(session)
            _apply(session, row, actor=actor, now=now)
        except RuleError as error:
            done.refusals.append((row.row, error))
        else:
            is_new = _count(session) > recorded_before
            done.decided += is_new
            done.unchanged += not is_new
    return done


def _apply(session: Session, row: Row, *, actor: Actor, now: datetime) -> DecisionRow:
    organization = session.scalar(select(Organization).where(Organization.code == row.organization))
    if organization is None:
        raise Invalid(_n("没有代码为 %(code)s 的组织，请核对。"), field="organization", code=row.organization)
    cycle = cycle_of(session, row.year)
    _check_seat(row, checklist_of(cycle.checklist_version))
    return decide(
        session,
        cycle=cycle,
        organization=organization,
        kind=row.kind,
        item_id=row.item_id,
        reason=row.reason,
        effective_from=row.effective_from,
        post=row.post if row.kind is DecisionKind.GIVE else None,
        times=row.times if row.kind is DecisionKind.MORE else None,
        item=row.item,
        actor=actor,
        now=now,
    )


def _check_seat(row: Row, checklist: Checklist) -> None:
    """A decision names a post; one seat of several cannot be singled out."""
    post = checklist.post.get(row.post or "")
    if row.seat and post is not None and post.holders == "each":
        raise Invalid(_n("事项只能改给岗位，不能只改给其中一个席位；请把席位号空着。"), field="number")


class _Wanted:
    """What a decision may say about an organization on a day."""

    def __init__(self, session: Session, cycle: Cycle, organization: Organization, *, on: date) -> None:
        self.checklist = checklist_of(cycle.checklist_version)
        self.own = own_items(session, cycle)
        standing = holding_of(session, organization, cycle=cycle).standing_on(on)
        if standing is None:
            raise Invalid(_n("这个组织在 %(day)s 不存在，请核对生效日期。"), field="effective_from", day=on)
        self.level = standing.level

    def decision(self, asked: Decision, text: Mapping[str, Any] | None) -> Decision:
        """Return the decision as it is stored, or raise what forbids it."""
        if len(asked.reason) > REASON_LENGTH:
            raise Invalid(_n("理由请精简到 %(most)s 字以内。"), field="reason", most=REASON_LENGTH)
        if asked.kind is DecisionKind.OWN:
            return self._own(asked, text)
        item = self.checklist.item.get(asked.item_id) or self.own.get(asked.item_id)
        check_decision(asked, item=item)
        assert item is not None  # noqa: S101  (otherwise refused)
        if item.level != self.level:
            raise Invalid(_n("事项 %(item)s 不属于这个组织所在的层级。"), field="item_id", item=item.id)
        if asked.kind is DecisionKind.GIVE:
            self._check_post(asked.post, item)
        return asked

    def _own(self, asked: Decision, text: Mapping[str, Any] | None) -> Decision:
        item = None if text is None else read_own_item(text, checklist=self.checklist, level=self.level)
        decision = Decision(asked.kind, asked.item_id, asked.reason, asked.effective_from, item=item)
        check_decision(decision, item=self.checklist.item.get(asked.item_id))
        before = self.own.get(asked.item_id)
        if item is not None and before is not None and self._text(before) != self._text(item):
            raise Conflict(
                _n("编号 %(item)s 已用于另一内容的自定事项；内容改变请换一个编号。"), field="item_id", item=item.id
            )
        return decision

    def _text(self, item: Item) -> str:
        return item_digest(item, self.checklist)

    def _check_post(self, post: str | None, item: Item) -> None:
        if post == item.post or post not in posts_of(self.checklist, self.level):
            raise Invalid(_n("请选择同一层级的另一个岗位。"), field="post")


def _check_open(cycle: Cycle) -> None:
    if cycle.state is not CycleState.OPEN:
        raise WrongState(_n("%(year)s 年度已经结束，不能再作决定。"), year=cycle.year)


def _check_day(cycle: Cycle, day: date, *, actor: Actor, now: datetime) -> None:
    if day.year != cycle.year:
        raise Invalid(_n("生效日期应在 %(year)s 年内。"), field="effective_from", year=cycle.year)
    if day < now.astimezone(SHANGHAI).date() and not actor.has(RoleName.ADMINISTRATOR):
        raise Invalid(_n("生效日期不能早于今天；确需追溯的，请联系管理员办理。"), field="effective_from")


def _same_place(rows: Iterable[DecisionRow], decision: Decision) -> DecisionRow | None:
    place = decision.kind, decision.item_id, decision.effective_from
    return next((row for row in rows if (row.kind, row.item_id, row.effective_from) == place), None)


def _values(decision: Decision) -> dict[str, Any]:
    item = decision.item
    return {
        "kind": decision.kind,
        "item_id": decision.item_id,
        "post": decision.post,
        "times": decision.times,
        "item": None if item is None else item.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "reason": decision.reason,
        "effective_from": decision.effective_from,
    }


def _values_of(row: DecisionRow) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "item_id": row.item_id,
        "post": row.post,
        "times": row.times,
        "item": row.item,
        "reason": row.reason,
        "effective_from": row.effective_from,
    }


def _short(reason: str) -> str:
    return reason.strip()[:REASON_LENGTH]


def _next_key(session: Session, cycle: Cycle, organization: Organization) -> str:
    session.execute(select(Organization.id).where(Organization.id == organization.id).with_for_update())
    taken = session.scalar(
        select(func.count(func.distinct(DecisionRow.key))).where(
            DecisionRow.cycle_id == cycle.id, DecisionRow.organization_id == organization.id
        )
    )
    return f"{cycle.year}.{organization.code}.D{(taken or 0) + 1}"


def _count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(DecisionRow)) or 0


def _standing_of(session: Session, actor: Actor, organization: Organization) -> str:
    """As what somebody decides: the appointment above the organization, or a role."""
    if actor.person_id is None:
        return actor.person_key
    above = set(
        session.scalars(
            select(OrganizationAncestor.ancestor_id).where(
                OrganizationAncestor.descendant_id == organization.id, OrganizationAncestor.distance > 0
            )
        )
    )
    sittings = (s.appointment_key for s in actor.sittings if s.may_sign and s.organization_id in above)
    return next(sittings, RoleName.ADMINISTRATOR.value)


def _record(
    session: Session,
    row: DecisionRow,
    before: DecisionRow | None,
    *,
    organization: Organization,
    actor: Actor,
    now: datetime,
    verb: str,
) -> None:
    earlier = None if before is None else _canonical(before)
    if before is not None:
        before.superseded_at = now
        session.flush()
    session.add(row)
    session.flush()
    appointment = row.decided_as if "#" in row.decided_as else None
    log.record(
        session,
        actor=actor,
        now=now,
        verb=verb,
        kind="decision",
        key=row.key,
        chains=[log.chain_of(organization)],
        before=earlier,
        after=_canonical(row),
        appointment=appointment,
    )


def _canonical(row: DecisionRow) -> dict[str, Any]:
    return _values_of(row) | {"kind": row.kind.value, "in_force": row.in_force}
