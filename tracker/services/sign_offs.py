"""Sign-offs: what people declare about duties, upward through the tree, each over exactly what was signed.

Every verb goes through the one table of states (`domain.duty`), writes a row that is never changed, renews what the
duty shows, and writes its log entry, in the transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor, Sitting, operator
from tracker.domain.canonical import digest
from tracker.domain.checklist import Checklist, Item
from tracker.domain.confirmation import Place as PlaceAbove
from tracker.domain.confirmation import confirming_seat
from tracker.domain.duty import TRANSITIONS, Action, ClaimKind, Part, State, next_state
from tracker.domain.errors import Conflict, RuleError
from tracker.domain.evidence import check_complete, checked_reason, done_on
from tracker.domain.sign_off import ClaimContent, EvidenceContent, text_digest
from tracker.domain.text import _n
from tracker.models import (
    Appointment,
    Cycle,
    CycleState,
    Duty,
    Evidence,
    Organization,
    OrganizationAncestor,
    SignOff,
    SignOffDoer,
)
from tracker.queries.assignments import items_named
from tracker.queries.checklists import checklist_of
from tracker.queries.duties import CLAIM_STANDS, UNSIGNED, content_of
from tracker.queries.evidence import contents_of, doers_of
from tracker.queries.history import SHANGHAI
from tracker.queries.sign_offs import chains_of, claims_of, last_of, seats_keyed
from tracker.services import evidence as records
from tracker.services import log
from tracker.services.bulk import insert_rows, row_numbers
from tracker.services.duties import closed_years, locked, refuse_closed, refuse_ended, show
from tracker.services.sign_off_rows import (
    BY_HOLDER,
    Last,
    Place,
    Shown,
    Signer,
    Signing,
    doer_rows,
    shown_after,
    sign_off_row,
)
from tracker.services.sign_off_rows import told as told_of
from tracker.storage.intake import Accepted

CHUNK = 2_000  # duties whose way is found at once
UNSETTLES = frozenset({Action.WITHDRAW, Action.RETURN, Action.REOPEN, Action.REFUSE})  # not in a closed year


@dataclass(frozen=True)
class Outcome:
    """What became of one duty of several: `refusal` is the rule that stood against it, None where it went through."""

    duty: str
    refusal: RuleError | None = None


@dataclass(frozen=True)
class _Case:
    """A duty, locked, with everything that a sign-off on it depends on. `doers` are person keys by row number.

    `found` keeps who decides, for all duties of a place whose doers are the same people.
    """

    duty: Duty
    item: Item
    checklist: Checklist
    evidence: Sequence[EvidenceContent]
    claim: ClaimContent | None
    doers: Mapping[int, str]
    chain: tuple[PlaceAbove, ...]
    last: Last | None
    found: dict[tuple[int, str | None, frozenset[str]], str | None] = field(default_factory=dict)

    @property
    def stands_alone(self) -> bool:
        """Whether the checklist names nobody to confirm it."""
        return self.item.confirmer is None

    def confirming_seat(self, *doers: str) -> str | None:
        """The key of the seat that decides, with `doers` among those who may not."""
        people = frozenset((*self.doers.values(), *doers))
        place = self.duty.organization_id, self.item.confirmer, people
        if place not in self.found:
            self.found[place] = confirming_seat(
                checklist=self.checklist, confirmer=self.item.confirmer, chain=self.chain, doers=people
            )
        return self.found[place]


def submit(
    session: Session, duty: Duty, *, actor: Actor, now: datetime, reason: str = "", seen: str | None = None
) -> None:
    """Hand a duty in, with the evidence that its item asks for; `reason` says what changed after signing.

    `seen` is the digest of the content that the signer looked at: another one is refused (Conflict).
    Raises NotAllowed, WrongState, Invalid (something is missing, and what).
    """
    _one(session, duty, Action.SUBMIT, actor=actor, now=now, reason=reason, seen=seen)


def confirm(session: Session, duty: Duty, *, actor: Actor, now: datetime, seen: str | None = None) -> None:
    """Agree that a submitted duty was done. Raises NotAllowed, WrongState (also when it changed after signing).

    `seen` is the digest of the content that the signer looked at: another one is refused (Conflict).
    """
    _one(session, duty, Action.CONFIRM, actor=actor, now=now, seen=seen)


def return_(session: Session, duty: Duty, *, reason: str, actor: Actor, now: datetime) -> None:
    """Send a submitted duty back. Raises NotAllowed, WrongState, Invalid (no reason)."""
    _one(session, duty, Action.RETURN, actor=actor, now=now, reason=reason)


def withdraw(session: Session, duty: Duty, *, actor: Actor, now: datetime) -> None:
    """Take one's own submission back before it is decided on. Raises NotAllowed, WrongState."""
    _one(session, duty, Action.WITHDRAW, actor=actor, now=now)


def claim(session: Session, duty: Duty, *, kind: ClaimKind, reason: str, actor: Actor, now: datetime) -> None:
    """Say that a duty does not apply or could not be done. Raises NotAllowed, WrongState, Invalid (no reason)."""
    _one(session, duty, Action.CLAIM, actor=actor, now=now, reason=reason, kind=kind)


def accept(session: Session, duty: Duty, *, actor: Actor, now: datetime, seen: str | None = None) -> None:
    """Agree to a claim. Raises NotAllowed, WrongState, Conflict (not the content that was `seen`)."""
    _one(session, duty, Action.ACCEPT, actor=actor, now=now, seen=seen)


def refuse(session: Session, duty: Duty, *, reason: str, actor: Actor, now: datetime) -> None:
    """Reject a claim: the duty is open again. Raises NotAllowed, WrongState, Invalid (no reason)."""
    _one(session, duty, Action.REFUSE, actor=actor, now=now, reason=reason)


def reopen(session: Session, duty: Duty, *, reason: str, actor: Actor, now: datetime) -> None:
    """Send a settled duty back. Raises NotAllowed, WrongState, Invalid (no reason)."""
    _one(session, duty, Action.REOPEN, actor=actor, now=now, reason=reason)


def tick(
    session: Session,
    *,
    duties: Sequence[Duty],
    act_on: date,
    sentence: str,
    counts: Mapping[str, int],
    files: Sequence[Accepted] = (),
    actor: Actor,
    now: datetime,
    reason: str = "",
    allowance: records.Allowance | None = None,
) -> Evidence:
    """Record something done and hand in every duty that it serves, in one step: all of them or none.

    Raises whatever `evidence.record` and `submit` raise. Of two people who tick the same duty at once, the second one
    is told (WrongState), although adding to a submitted duty is possible otherwise.
    """
    served = locked(session, {duty.id for duty in duties})
    for duty in served:
        next_state(duty.state, Action.SUBMIT, Part.HOLDER, changed=duty.is_changed, reason=reason)
    written = records.enter(
        session,
        served,
        first=next(iter(duties), None),
        act_on=act_on,
        sentence=sentence,
        counts=counts,
        files=files,
        actor=actor,
        now=now,
        allowance=allowance,
    )
    # no year is closed: `enter` refuses that, and none is closed before this is committed
    _submit(session, served, closed={}, actor=actor, now=now, reason=reason, told=[written.told])
    return written.evidence


def submit_all(
    session: Session,
    duties: Sequence[Duty],
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
    seen: Mapping[str, str] | None = None,
) -> None:
    """Hand in several duties at once: all of them or none. Raises whatever `submit` raises.

    `seen` holds, by the duty's key, the digest of the content that the signer looked at.
    """
    found = locked(session, {duty.id for duty in duties})
    _submit(session, found, closed=closed_years(session, found), actor=actor, now=now, reason=reason, seen=seen)


def _submit(
    session: Session,
    duties: Sequence[Duty],
    *,
    closed: Mapping[int, int],
    actor: Actor,
    now: datetime,
    reason: str,
    seen: Mapping[str, str] | None = None,
    told: Sequence[log.Told] = (),
) -> None:
    """Hand in duties that are locked; `closed` are their closed years, `told` is what the log has to tell before."""
    ruled = [
        _ruled(
            session,
            case,
            _Asked(Action.SUBMIT, reason=reason, seen=(seen or {}).get(case.duty.key)),
            actor=actor,
            closed=closed,
        )
        for case in _cases(session, duties, now=now)
    ]
    _sign(session, ruled, actor=actor, now=now, told=told)


def confirm_many(
    session: Session, duties: Sequence[Duty], *, actor: Actor, now: datetime, seen: Mapping[str, str] | None = None
) -> list[Outcome]:
    """Confirm what can be confirmed (and accept claims) of many duties; the others are named with the reason.

    `seen` holds, by the duty's key, the digest of the content that the signer looked at.
    """
    return _many(session, duties, {False: Action.CONFIRM, True: Action.ACCEPT}, actor=actor, now=now, seen=seen)


def return_many(session: Session, duties: Sequence[Duty], *, reason: str, actor: Actor, now: datetime) -> list[Outcome]:
    """Return what can be returned (and refuse claims) of many duties, all with the same reason."""
    actions = {False: Action.RETURN, True: Action.REFUSE}
    return _many(session, duties, actions, actor=actor, now=now, reason=reason)


def reroute(
    session: Session, *, organizations: Iterable[Organization], now: datetime, actor: Actor | None = None
) -> int:
    """Find anew who decides on what is signed in and below these organizations; return how many duties moved.

    To be called after appointments changed, and daily, since appointments begin and end by date.
    """
    roots = {organization.id for organization in organizations}
    below = select(OrganizationAncestor.descendant_id).where(OrganizationAncestor.ancestor_id.in_(roots))
    signed = (
        select(Duty.id)
        .join(Cycle, Cycle.id == Duty.cycle_id)
        .where(Duty.organization_id.in_(below), Duty.state.not_in(UNSIGNED), Cycle.state == CycleState.OPEN)
    )
    session.flush()
    ids = list(session.scalars(signed.order_by(Duty.key)))
    moved: dict[str, dict[str, str | None]] = {}
    for start in range(0, len(ids), CHUNK):
        duties = locked(session, ids[start : start + CHUNK])
        _reroute(session, _cases(session, duties, now=now), moved)
    for chain, changes in sorted(moved.items()):
        log.record(
            session,
            actor=actor or operator(),
            now=now,
            verb="reroute",
            kind="unit",
            key=chain,
            chains=[chain],
            after=changes,
        )
    return sum(len(changes) for changes in moved.values())


def _reroute(session: Session, cases: Sequence[_Case], moved: dict[str, dict[str, str | None]]) -> None:
    wanted = {case.duty.id: case.confirming_seat() for case in cases}
    numbers = seats_keyed(session, {key for key in wanted.values() if key})
    for duty in (case.duty for case in cases):
        key = wanted[duty.id]
        if duty.waiting_seat_id != (numbers[key] if key else None):
            duty.waiting_seat_id = numbers[key] if key else None
            moved.setdefault(log.chain_of(duty.organization), {})[duty.key] = key
    session.flush()


def _many(
    session: Session,
    duties: Sequence[Duty],
    actions: Mapping[bool, Action],
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
    seen: Mapping[str, str] | None = None,
) -> list[Outcome]:
    """Do to each what fits it. Rules speak before anything is written, so that one refusal leaves the others whole."""
    outcomes, allowed = [], []
    found = locked(session, {duty.id for duty in duties})
    cases, closed = _cases(session, found, now=now), closed_years(session, found)
    for case in cases:
        asked = _Asked(actions[case.duty.state is State.CLAIMED], reason=reason, seen=(seen or {}).get(case.duty.key))
        try:
            allowed.append(_ruled(session, case, asked, actor=actor, closed=closed))
        except RuleError as refusal:
            outcomes.append(Outcome(case.duty.key, refusal))
        else:
            outcomes.append(Outcome(case.duty.key))
    _sign(session, allowed, actor=actor, now=now)
    return outcomes


def _one(
    session: Session,
    duty: Duty,
    action: Action,
    *,
    actor: Actor,
    now: datetime,
    reason: str = "",
    kind: ClaimKind | None = None,
    seen: str | None = None,
) -> None:
    found = locked(session, [duty.id])
    [case], closed = _cases(session, found, now=now), closed_years(session, found)
    ruled = _ruled(session, case, _Asked(action, reason=reason, kind=kind, seen=seen), actor=actor, closed=closed)
    _sign(session, [ruled], actor=actor, now=now)


def _cases(session: Session, duties: Sequence[Duty], *, now: datetime) -> list[_Case]:
    """Duties that are locked with what their sign-offs depend on: a fixed number of queries, however many they are."""
    if not duties:
        return []
    ids, claimed = [duty.id for duty in duties], [duty.id for duty in duties if duty.state in CLAIM_STANDS]
    versions = {number: duty.cycle.checklist_version for number, duty in {d.cycle_id: d for d in duties}.items()}
    items = items_named(session, ((d.cycle_id, versions[d.cycle_id].sha256, d.item_id) for d in duties))
    contents, claims, doers = contents_of(session, ids), claims_of(session, claimed), doers_of(session, ids)
    last = {number: Last(row.number, row.digest) for number, row in last_of(session, ids).items()}
    today = now.astimezone(SHANGHAI).date()
    chains = chains_of(session, {duty.organization_id for duty in duties}, today=today)
    seats: dict[tuple[int, str | None, frozenset[str]], str | None] = {}
    return [
        _Case(
            duty=duty,
            item=items[duty.cycle_id, duty.item_id],
            checklist=checklist_of(versions[duty.cycle_id]),
            evidence=contents.get(duty.id, []),
            claim=claims.get(duty.id),
            doers=doers.get(duty.id, {}),
            chain=chains.get(duty.organization_id, ()),
            last=last.get(duty.id),
            found=seats,
        )
        for duty in duties
    ]


@dataclass(frozen=True)
class _Asked:
    """What somebody wants to do to a duty."""

    action: Action
    reason: str = ""
    kind: ClaimKind | None = None
    seen: str | None = None


def _ruled(
    session: Session, case: _Case, asked: _Asked, *, actor: Actor, closed: Mapping[int, int]
) -> tuple[_Case, Signing]:
    """Let every rule speak about one action on one duty, and return what is to be written. Nothing is written yet."""
    duty, action, why = case.duty, asked.action, checked_reason(asked.reason)
    sitting = _sitting(case, action, actor)
    has_part = _has_part(duty, action, actor, sitting)
    if has_part and asked.seen is not None and asked.seen != duty.content_digest:
        raise Conflict(_n("您打开页面之后，这项任务的内容有改动；请看过现在的内容再办理。"))
    target = next_state(
        duty.state,
        action,
        TRANSITIONS[action].part if has_part else _another(TRANSITIONS[action].part),
        changed=duty.is_changed,
        claim=asked.kind or (ClaimKind(case.claim.kind) if case.claim else None),
        reason=why,
        stands_alone=case.stands_alone,
    )
    if action in BY_HOLDER | UNSETTLES:
        refuse_closed([duty], closed)
    if action in BY_HOLDER:
        refuse_ended([duty])
    if action is Action.SUBMIT:
        check_complete(case.item, case.checklist, case.evidence)
    signing = Signing(
        place=Place(duty.key, duty.id, duty.unit_id, duty.cycle_id),
        action=action,
        signer=_signer(session, duty, sitting, actor),
        covered=content_of(duty, case.evidence, _claimed(case, action, asked.kind, why)),
        target=target,
        last=case.last,
        submitter_id=duty.submitted_by_id,
        kind=asked.kind,
        reason=why,
        doers=tuple(case.doers),
        done_on=done_on(case.item, case.checklist, case.evidence) if action is Action.SUBMIT else None,
        bare=digest(content_of(duty, case.evidence, None)) if target in UNSIGNED else "",
    )
    return case, signing


def _sign(
    session: Session,
    ruled: Sequence[tuple[_Case, Signing]],
    *,
    actor: Actor,
    now: datetime,
    told: Sequence[log.Told] = (),
) -> None:
    """Write what the rules allowed: rows, what the duties show, and the log, all of them in bulk.

    `told` is what the log has to tell before.
    """
    today = now.astimezone(SHANGHAI).date()
    waiting = _waiting_seats(session, ruled, actor)
    chains = log.chains_of(session, {case.duty.organization_id for case, _ in ruled})
    numbers = row_numbers(session, SignOff, len(ruled))
    rows: list[dict[str, Any]] = []
    doers: list[dict[str, Any]] = []
    signed, changes = [], []
    for number, (case, allowed) in zip(numbers, ruled, strict=True):
        seat = waiting.get(case.duty.id)
        signing = replace(allowed, waiting_seat_id=seat) if seat else allowed
        before, row = Shown.of(case.duty), sign_off_row(number, signing, now=now)
        rows.append(row)
        doers += doer_rows(number, signing)
        signed.append(told_of(chains[case.duty.organization_id], signing, row, before=before.state))
        changes.append((case.duty, shown_after(before, signing, row, now=now, today=today)))
    insert_rows(session, SignOff, rows)
    insert_rows(session, SignOffDoer, doers)
    show(session, changes)
    log.record_all(session, [*told, *signed], actor=actor, now=now)


def _waiting_seats(session: Session, ruled: Sequence[tuple[_Case, Signing]], actor: Actor) -> dict[int, int]:
    """Row numbers of the seats that decide on what is handed in now, by the duty's row number."""
    keys = {
        case.duty.id: key
        for case, signing in ruled
        if signing.action in BY_HOLDER and (key := case.confirming_seat(actor.person_key)) is not None
    }
    numbers = seats_keyed(session, set(keys.values()))
    return {duty: numbers[key] for duty, key in keys.items()}


def _sitting(case: _Case, action: Action, actor: Actor) -> Sitting | None:
    """The appointment by which the actor does this, if there is one that entitles to it."""
    if TRANSITIONS[action].part is Part.CONFIRMER:
        key = case.confirming_seat()
        of_seat = [s for s in actor.sittings if s.seat_key == key and s.may_sign]
        return of_seat[0] if of_seat and actor.person_id not in case.doers else None
    sitting = actor.sitting_in(case.duty.seat_id)
    return sitting if sitting and sitting.may_sign else None


def _has_part(duty: Duty, action: Action, actor: Actor, sitting: Sitting | None) -> bool:
    if TRANSITIONS[action].part is Part.SUBMITTER:
        return actor.person_id is not None and duty.submitted_by_id == actor.person_id
    return sitting is not None


def _another(part: Part) -> Part:
    """Any part but this one: what somebody acts as who has not the part that an action asks for."""
    return next(other for other in Part if other is not part)


def _claimed(case: _Case, action: Action, kind: ClaimKind | None, reason: str) -> ClaimContent | None:
    """The claim that the action covers: the one that is made, the one that is judged, or none in a submission."""
    if action is Action.CLAIM and kind is not None:
        return ClaimContent(kind.value, text_digest(reason))
    return None if action is Action.SUBMIT else case.claim


def _signer(session: Session, duty: Duty, sitting: Sitting | None, actor: Actor) -> Signer:
    """Who signs, by the appointment that stands in the row; a submitter who left withdraws by the old one."""
    assert actor.person_id is not None  # noqa: S101  (the rules let only people sign)
    if sitting is not None:
        return Signer(actor.person_id, actor.person_key, sitting.appointment_id, sitting.appointment_key)
    submitted = (
        select(Appointment.id, Appointment.key)
        .join(SignOff, SignOff.appointment_id == Appointment.id)
        .where(SignOff.duty_id == duty.id, SignOff.person_id == duty.submitted_by_id)
        .order_by(SignOff.number.desc())
        .limit(1)
    )
    number, key = session.execute(submitted).one()
    return Signer(actor.person_id, actor.person_key, number, key)
