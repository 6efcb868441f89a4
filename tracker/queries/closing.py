"""What somebody reads before a check is closed: how far it is, and where verdicts and findings do not go together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session

from tracker.domain.inspection import RectificationState
from tracker.domain.score import FELL_SHORT
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import Duty, Finding, Inspection, Organization, Verdict
from tracker.queries.columns import Columns, read
from tracker.queries.history import known
from tracker.queries.inspections import progress_of
from tracker.queries.look_back import unseen


class Unmatched(NamedTuple):
    """A judged duty whose verdict and findings do not go together."""

    key: str
    item_id: str
    organization: str
    period: str
    occurrence: int
    value: VerdictValue


@dataclass(frozen=True)
class Standing:
    """How a check stands before it is closed; `unseen` are the findings of a look-back without a verdict."""

    pending: int
    unseen: int
    open_findings: int
    without_finding: list[Unmatched]
    with_finding: list[Unmatched]


def standing_of(session: Session, inspection: Inspection) -> Standing:
    """How the check stands now."""
    sampled, judged = progress_of(session, inspection)
    check = {"check": inspection.id}
    found = [Unmatched(*row) for row in read(session, _unmatched(), check)]
    return Standing(
        pending=sampled - judged,
        unseen=unseen(session, inspection),
        open_findings=session.scalar(_open_findings(), check) or 0,
        without_finding=[one for one in found if one.value in FELL_SHORT],
        with_finding=[one for one in found if one.value not in FELL_SHORT],
    )


@cache
def _open_findings() -> Select[int]:
    return select(func.count()).where(
        Finding.inspection_id == bindparam("check"), Finding.state != RectificationState.CLOSED
    )


@cache
def _unmatched() -> Columns:
    """Duties that fell short and have no finding, and duties that did not and have one."""
    fell_short = Verdict.value.in_(FELL_SHORT)
    about = Finding.duty_id == Duty.id
    # A finding may name the item of an organization, and no single duty of it.
    about_item = and_(
        Finding.duty_id.is_(None), Finding.organization_id == Duty.organization_id, Finding.item_id == Duty.item_id
    )
    return (
        select(Duty.key, Duty.item_id, Organization.name, Duty.period, Duty.occurrence, Verdict.value)
        .join(Verdict, Verdict.duty_id == Duty.id)
        .join(Organization, Organization.id == Duty.organization_id)
        .where(
            Verdict.inspection_id == bindparam("check"),
            known(Verdict),
            or_(and_(fell_short, ~_has_finding(or_(about, about_item))), and_(~fell_short, _has_finding(about))),
        )
        .order_by(Organization.place, Duty.level, Duty.item_id, Duty.period_starts_on, Duty.key)
    )


def _has_finding(about: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(Finding.id).where(Finding.inspection_id == bindparam("check"), about).exists()
