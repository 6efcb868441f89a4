"""The printed checklist of a post, a seat or an organization: what is owed, and the local decisions with reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from tracker.domain.actor import AppointmentKind
from tracker.domain.applicability import DECISION_NAMES, Decision, DecisionKind
from tracker.domain.checklist import Checklist, Item
from tracker.domain.report import ChecklistGroup, ChecklistLine, PostChecklist, Provenance
from tracker.domain.text import _n
from tracker.models import Cycle, Organization, Seat
from tracker.models import Decision as DecisionRow
from tracker.queries.assignments import decision_history, holding_of, year_plan
from tracker.queries.history import SHANGHAI
from tracker.queries.organizations import organization_on
from tracker.queries.people import names_of
from tracker.queries.seats import terms_of

Translate = Callable[[str], str]

RESPONSIBILITY_NAMES: Mapping[str, str] = {
    "political": _n("政治责任"),
    "leadership": _n("领导责任"),
    "post": _n("岗位责任"),
}
DUTY_NAMES: Mapping[str, str] = {"collective": _n("集体"), "individual": _n("个人")}


@dataclass(frozen=True)
class Decided:
    """Who decided what, and when it was recorded."""

    decision: Decision
    who: str
    day: date


def list_of_post(
    checklist: Checklist, post: str, *, provenance: Provenance, translate: Translate = str
) -> PostChecklist:
    """The items of one post of a list, before any local decision. Raises KeyError for a post that it does not have."""
    lines = [
        (item, _line(item, checklist, post=post, times=item.frequency.times, translate=translate))
        for item in checklist.items
        if item.post == post and not item.retired
    ]
    return PostChecklist(
        title=translate(_n("%(post)s责任清单")) % {"post": checklist.post[post].name},
        organization=checklist.title,
        cycle=checklist.version,
        groups=_by_dimension(lines, checklist),
        provenance=provenance,
        post=checklist.post[post].name,
    )


def list_of_organization(
    session: Session,
    organization: Organization,
    *,
    cycle: Cycle,
    on: date,
    provenance: Provenance,
    as_of: datetime | None = None,
    seat: Seat | None = None,
    translate: Translate = str,
) -> PostChecklist:
    """What an organization, or one seat of it, owes on a day as known at a recorded time, with the local decisions."""
    plan = year_plan(session, cycle, as_of=as_of)
    checklist = plan.checklist
    holding = holding_of(session, organization, cycle=cycle, as_of=as_of)
    decided = _decided(session, organization, cycle=cycle, as_of=as_of)
    lines: list[tuple[Item, ChecklistLine]] = []
    for owed in plan.owed_on(holding, on):
        if seat is None or seat.key in owed.seats:
            said = [decided[decision.key] for decision in owed.decisions]
            line = _line(owed.item, checklist, post=owed.post, times=owed.times, said=said, translate=translate)
            lines.append((owed.item, line))
    for off in plan.switched_off_on(holding, on):
        if seat is None or seat.post == off.item.post:
            said = [decided[off.decision.key]]
            times = off.item.frequency.times
            line = _line(off.item, checklist, post=off.item.post, times=times, said=said, translate=translate)
            lines.append((off.item, line))
    node = organization_on(session, organization.id, on=on, as_of=as_of)
    post = checklist.post[seat.post].name if seat and seat.post in checklist.post else ""
    return PostChecklist(
        title=translate(_n("%(post)s责任清单")) % {"post": post},
        organization=node.name if node else organization.name,
        cycle=translate(_n("%(year)s年度")) % {"year": cycle.year},
        groups=_by_dimension(lines, checklist),
        provenance=provenance,
        post=post,
        holders=_holders(session, seat, cycle=cycle, as_of=as_of, translate=translate),
    )


def _decided(
    session: Session, organization: Organization, *, cycle: Cycle, as_of: datetime | None
) -> Mapping[str, Decided]:
    """Who decided, by the key of the decision: the last row that said it was in force."""
    rows = [
        row
        for row in decision_history(session, organization, cycle=cycle)
        if row.in_force and (as_of is None or row.recorded_at <= as_of)
    ]
    names = names_of(session, [row.decided_by_id for row in rows if row.decided_by_id is not None], as_of=as_of)
    return {row.key: _decided_by(row, names) for row in rows}


def _decided_by(row: DecisionRow, names: Mapping[int, str]) -> Decided:
    decision = Decision(
        row.kind, row.item_id, row.reason, row.effective_from, post=row.post, times=row.times, key=row.key
    )
    who = names[row.decided_by_id] if row.decided_by_id is not None else row.decided_as
    return Decided(decision, who, row.recorded_at.astimezone(SHANGHAI).date())


def _line(
    item: Item,
    checklist: Checklist,
    *,
    post: str,
    times: int,
    said: Sequence[Decided] = (),
    translate: Translate,
) -> ChecklistLine:
    kinds = {one.decision.kind for one in said}
    last = said[-1] if said else None
    return ChecklistLine(
        item=item.id,
        title=item.title,
        requirement=item.requirement,
        kind=f"{translate(RESPONSIBILITY_NAMES[item.responsibility])}（{translate(DUTY_NAMES[item.duty])}）",
        post=checklist.post[post].name,
        frequency=_frequency(item, times, translate),
        due=_due(item, translate),
        evidence=tuple(checklist.evidence_kind[kind].name for kind in item.evidence),
        confirmer=checklist.post[item.confirmer].name if item.confirmer else "",
        sources=tuple(f"{checklist.regulation[s.regulation].name} {s.article}" for s in item.sources),
        points=Decimal(item.points),
        switched_off=DecisionKind.OFF in kinds,
        own=DecisionKind.OWN in kinds,
        decision="；".join(_sentence(one.decision, checklist, translate) for one in said),
        decided_by=last.who if last else "",
        decided_on=last.day if last else None,
    )


def _sentence(decision: Decision, checklist: Checklist, translate: Translate) -> str:
    what = translate(DECISION_NAMES[decision.kind])
    if decision.post is not None:
        what = translate(_n("改由%(post)s承担")) % {"post": checklist.post[decision.post].name}
    if decision.times is not None:
        what = translate(_n("每期增至%(times)s次")) % {"times": decision.times}
    start = translate(_n("自%(day)s起")) % {"day": decision.effective_from.isoformat()}
    return f"{what}，{start}：{decision.reason}"


def _frequency(item: Item, times: int, translate: Translate) -> str:
    if times == item.frequency.times:
        return item.frequency.label
    return translate(_n("%(label)s（改为每期%(times)s次）")) % {"label": item.frequency.label, "times": times}


def _due(item: Item, translate: Translate) -> str:
    windows = "、".join(f"{window.start}—{window.end}" for window in item.frequency.windows)
    start = translate(_n("发生后")) if item.frequency.every == "event" else translate(_n("到期后"))
    grace = translate(_n("%(days)s个工作日内")) % {"days": item.frequency.grace}
    return f"{windows}；{start}{grace}" if windows else f"{start}{grace}"


def _by_dimension(lines: Iterable[tuple[Item, ChecklistLine]], checklist: Checklist) -> tuple[ChecklistGroup, ...]:
    found = list(lines)

    def groups() -> Iterator[ChecklistGroup]:
        for dimension in checklist.dimensions:
            members = tuple(line for item, line in found if item.dimension == dimension.id)
            if members:
                yield ChecklistGroup(name=dimension.name, lines=members)

    return tuple(groups())


def _holders(
    session: Session, seat: Seat | None, *, cycle: Cycle, as_of: datetime | None, translate: Translate
) -> tuple[str, ...]:
    """Who holds the seat in the year, the earliest first, each with the days; clerks are no holders."""
    if seat is None:
        return ()
    first, last = date(cycle.year, 1, 1), date(cycle.year, 12, 31)
    terms = terms_of(session, [seat.id], as_of=as_of).get(seat.id, [])
    within = [
        term
        for term in reversed(terms)
        if term.kind is not AppointmentKind.CLERK and term.starts_on <= last and (term.ends_on or last) >= first
    ]
    until = translate(_n("起"))
    return tuple(
        f"{term.name}（{term.starts_on}{'—' + str(term.ends_on) if term.ends_on else until}）" for term in within
    )
