"""What every verb on a duty shares: the lock, and the caches that are renewed in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cache

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import StaleDataError

from tracker.domain.canonical import digest
from tracker.domain.errors import WrongState
from tracker.domain.text import _n
from tracker.models import Cycle, CycleState, Duty
from tracker.queries.columns import read
from tracker.queries.duties import CLAIM_STANDS, content_of, is_changed
from tracker.queries.evidence import contents_of
from tracker.queries.sign_offs import claims_of
from tracker.services.bulk import update_rows
from tracker.services.sign_off_rows import SHOWN, Shown


def locked(session: Session, duty_ids: Collection[int]) -> list[Duty]:
    """The duties as they are now, locked until the transaction ends, in the order of their keys."""
    session.flush()
    return list(session.scalars(_locking(), {"duties": list(duty_ids)}))


@cache
def _locking() -> Select[Duty]:
    query = select(Duty).where(Duty.id.in_(bindparam("duties", expanding=True))).order_by(Duty.key)
    return query.with_for_update().execution_options(populate_existing=True)


def renew(session: Session, duties: Collection[Duty]) -> None:
    """Renew what duties (locked) say about their content, for all of them together: three queries, not three each."""
    ids = [duty.id for duty in duties]
    claimed = [duty.id for duty in duties if duty.state in CLAIM_STANDS]
    contents, claims = contents_of(session, ids), claims_of(session, claimed)
    changes = []
    for duty in duties:
        content = digest(content_of(duty, contents.get(duty.id, ()), claims.get(duty.id)))
        changed = is_changed(duty.state, content=content, signed=duty.signed_digest)
        changes.append((duty, replace(Shown.of(duty), content_digest=content, is_changed=changed)))
    show(session, changes)


def show(session: Session, changes: Iterable[tuple[Duty, Shown]]) -> None:
    """Let duties (locked) show this, all in one statement; those that show it already stay as they are.

    Only columns are written in which one of them differs: every index of a column that is written is renewed.
    """
    differing = [(duty, before, after) for duty, after in changes if (before := Shown.of(duty)) != after]
    names = [
        name for name in SHOWN if any(getattr(before, name) != getattr(after, name) for _, before, after in differing)
    ]
    rows = [
        {"id": duty.id, "version": duty.version} | {name: getattr(after, name) for name in names}
        for duty, _, after in differing
    ]
    if update_rows(session, Duty, rows, key=("id", "version")) != len(rows):
        raise StaleDataError("a duty was changed by somebody else although it was locked")
    for (duty, _, _), row in zip(differing, rows, strict=True):
        for name in names:
            set_committed_value(duty, name, row[name])
        set_committed_value(duty, "version", row["version"] + 1)


def closed_years(session: Session, duties: Iterable[Duty]) -> dict[int, int]:
    """The closed ones among the years of duties, by row number; none is closed before this is committed."""
    found = read(session, _years(), {"cycles": list({duty.cycle_id for duty in duties})})
    return {number: year for number, year, state in found if state is CycleState.CLOSED}


@cache
def _years() -> Select[int, int, CycleState]:
    """Years, locked so that none is closed meanwhile."""
    years = select(Cycle.id, Cycle.year, Cycle.state).where(Cycle.id.in_(bindparam("cycles", expanding=True)))
    return years.with_for_update(read=True)


def refuse_closed(duties: Iterable[Duty], closed: Mapping[int, int]) -> None:
    """Refuse what would change the standing of duties of a year that is closed."""
    for duty in duties:
        if duty.cycle_id in closed:
            raise WrongState(
                _n("%(year)s 年度已经关闭，不能再填报；如确需补录，请联系管理员。"), year=closed[duty.cycle_id]
            )


def refuse_ended(duties: Iterable[Duty]) -> None:
    """Refuse what a holder does on duties that are no longer owed."""
    if not all(duty.in_force for duty in duties):
        raise WrongState(_n("其中有任务已不再要求办理，请刷新后重新选择。"))


def check_year_open(session: Session, duties: Iterable[Duty]) -> None:
    """Refuse what would change the standing of duties of a year that is closed."""
    found = list(duties)
    refuse_closed(found, closed_years(session, found))


def check_open(session: Session, duties: Iterable[Duty]) -> None:
    """Refuse what a holder does on duties of a year that is closed, or on duties that are no longer owed."""
    found = list(duties)
    check_year_open(session, found)
    refuse_ended(found)
