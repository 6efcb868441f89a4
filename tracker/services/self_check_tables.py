"""Self-check tables: a unit saves its lines, as often as it likes, and hands the table in until the check is closed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.canonical import digest
from tracker.domain.errors import Conflict, Invalid, WrongState
from tracker.domain.inspection import InspectionState
from tracker.domain.self_check_table import Answer, Line, checked, require_complete, table_digest
from tracker.domain.text import _n
from tracker.models import Inspection, Organization, SelfCheckHandIn, SelfCheckLine
from tracker.policy import Act, UnitOfCheck, require
from tracker.queries.self_check_tables import answer_of, answers_of, table_of
from tracker.services import log


def save_lines(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    answers: Iterable[Answer],
    *,
    seen: datetime | None = None,
    actor: Actor,
    now: datetime,
) -> int:
    """Write the lines that differ from what stood at `seen`, when the form was filled in, and return how many.

    Raises Conflict where somebody else has changed one of these lines in another way since.
    """
    _require_open(session, inspection, unit, Act.SELF_CHECK, actor=actor)
    assert actor.person_id is not None  # noqa: S101  the operator sits nowhere
    points = {line.item_id: line.points for line in table_of(session, inspection, unit, as_of=now)}
    current = answers_of(session, inspection, unit)
    base = current if seen is None else answers_of(session, inspection, unit, as_of=seen)
    changed: list[Answer] = []
    for given in answers:
        if given.item_id not in points:
            raise Invalid(_n("%(item)s 不在本次自查的范围内，请刷新页面核对。"), item=given.item_id)
        answer = checked(given, points=points[given.item_id])
        stands = answer_of(current.get(answer.item_id), answer.item_id)
        known_then = answer_of(base.get(answer.item_id), answer.item_id)
        if answer in (stands, known_then):
            continue
        if stands != known_then:
            raise Conflict(
                _n("%(item)s 已由本单位其他人员改动，请核对后再保存。"), field=answer.item_id, item=answer.item_id
            )
        changed.append(answer)
    _write(session, inspection, unit, changed, current, person_id=actor.person_id, now=now)
    if changed:
        after = {"lines": [_told(answer) for answer in changed]}
        _log(session, inspection, unit, verb="inspection.self_check", after=after, actor=actor, now=now)
    return len(changed)


def _write(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    changed: Sequence[Answer],
    current: dict[str, SelfCheckLine],
    *,
    person_id: int,
    now: datetime,
) -> None:
    for answer in changed:
        if answer.item_id in current:
            current[answer.item_id].superseded_at = now
    session.flush()
    session.add_all(
        SelfCheckLine(
            inspection_id=inspection.id,
            unit_id=unit.id,
            item_id=answer.item_id,
            value=answer.value,
            tenths=answer.tenths,
            statement=answer.statement,
            person_id=person_id,
            recorded_at=now,
        )
        for answer in changed
    )
    session.flush()


def hand_in(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    shown: Iterable[Answer] | None = None,
    actor: Actor,
    now: datetime,
) -> SelfCheckHandIn:
    """Hand the table in, for the first time or anew, with the digest of all its lines.

    Raises Conflict where a line is not what was `shown` to the one who signs.
    """
    _require_open(session, inspection, unit, Act.HAND_IN, actor=actor)
    assert actor.person_id is not None  # noqa: S101  the operator sits nowhere
    lines = table_of(session, inspection, unit, as_of=now)
    require_complete(lines)
    if shown is not None:
        _require_shown(lines, shown)
    of_unit = (SelfCheckHandIn.inspection_id == inspection.id, SelfCheckHandIn.unit_id == unit.id)
    last = session.scalar(select(func.max(SelfCheckHandIn.number)).where(*of_unit)) or 0
    row = SelfCheckHandIn(
        inspection_id=inspection.id,
        unit_id=unit.id,
        number=last + 1,
        digest=table_digest(lines, inspection=inspection.number, unit=unit.code),
        person_id=actor.person_id,
        at=now,
    )
    session.add(row)
    session.flush()
    after = {"number": row.number, "digest": row.digest}
    _log(session, inspection, unit, verb="inspection.hand_in", after=after, actor=actor, now=now)
    return row


def _require_shown(lines: Sequence[Line], shown: Iterable[Answer]) -> None:
    """Refuse to hand in a line that somebody else has changed behind the page of the one who signs."""
    known = {answer.item_id: answer for answer in shown}
    changed = [
        line.item_id
        for line in lines
        if line.item_id not in known or checked(known[line.item_id], points=line.points) != line.answer
    ]
    if changed:
        message = _n("%(items)s 已由本单位其他人员改动，还没有报送；请核对现在的内容，再报送。")
        raise Conflict(message, field=changed[0], items="、".join(changed))


def _require_open(session: Session, inspection: Inspection, unit: Organization, act: Act, *, actor: Actor) -> None:
    """Refuse whoever may not, and everything after the close; the check is locked, so that writers take turns."""
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    require(session, actor, act, UnitOfCheck(inspection, unit))
    if inspection.state is InspectionState.CLOSED:
        raise WrongState(_n("本次检查已经结束，自查表不能再填报；如有补充，请联系检查组。"))


def _told(answer: Answer) -> dict[str, object]:
    """A line for the log; of the sentence only its digest, so that a sealed one is gone from here too."""
    return {
        "item": answer.item_id,
        "value": answer.value.value if answer.value else None,
        "tenths": answer.tenths,
        "statement_sha256": digest(answer.statement.encode("utf-8")),
    }


def _log(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    verb: str,
    after: object,
    actor: Actor,
    now: datetime,
) -> None:
    log.record(
        session,
        actor=actor,
        now=now,
        verb=verb,
        kind="inspection",
        key=str(inspection.number),
        chains=[unit.code],
        after=after,
    )
