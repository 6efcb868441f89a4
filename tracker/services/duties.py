"""What every verb on a duty shares: the lock, and the caches that are renewed in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.canonical import digest
from tracker.domain.errors import WrongState
from tracker.domain.text import _n
from tracker.models import Cycle, CycleState, Duty
from tracker.queries.duties import CLAIM_STANDS, content_of, is_changed
from tracker.queries.evidence import contents_of
from tracker.queries.sign_offs import claims_of


def locked(session: Session, duty_ids: Collection[int]) -> list[Duty]:
    """The duties as they are now, locked until the transaction ends, in the order of their keys."""
    session.flush()
    query = select(Duty).where(Duty.id.in_(duty_ids)).order_by(Duty.key).with_for_update()
    return list(session.scalars(query.execution_options(populate_existing=True)))


def renew(session: Session, duties: Collection[Duty]) -> None:
    """Renew what duties (locked) say about their content, for all of them together: three queries, not three each."""
    ids = [duty.id for duty in duties]
    contents, claims = contents_of(session, ids), claims_of(session, ids)
    for duty in duties:
        claim = claims.get(duty.id) if duty.state in CLAIM_STANDS else None
        duty.content_digest = digest(content_of(duty, contents.get(duty.id, ()), claim))
        duty.is_changed = is_changed(duty.state, content=duty.content_digest, signed=duty.signed_digest)
    session.flush()


def check_year_open(session: Session, duties: Iterable[Duty]) -> None:
    """Refuse what would change the standing of duties of a year that is closed."""
    years = select(Cycle.year, Cycle.state).where(Cycle.id.in_({duty.cycle_id for duty in duties}))
    for year, state in session.execute(years.with_for_update(read=True)):  # it is not closed before this is committed
        if state is CycleState.CLOSED:
            raise WrongState(_n("%(year)s 年度已经关闭，不能再填报；如确需补录，请联系管理员。"), year=year)


def check_open(session: Session, duties: Iterable[Duty]) -> None:
    """Refuse what a holder does on duties of a year that is closed, or on duties that are no longer owed."""
    found = list(duties)
    check_year_open(session, found)
    if not all(duty.in_force for duty in found):
        raise WrongState(_n("其中有任务已不再要求办理，请刷新后重新选择。"))
