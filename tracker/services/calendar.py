"""Days that the city works, or does not work, whatever the national calendar says."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Invalid
from tracker.domain.text import _n
from tracker.models import DayOverride
from tracker.policy import Act, require
from tracker.queries.calendar import override_of
from tracker.services import cycles, log

NAME_LENGTH = 50


def override_day(
    session: Session, *, day: date, is_working: bool, name: str, actor: Actor, now: datetime
) -> DayOverride:
    """Decide that a day is worked or not, and move the due dates that count over it. `name` says what the day is.

    A later decision on the same day takes the place of the one before, which stays readable; the same one twice is one.
    """
    require(session, actor, Act.ADMINISTER)
    name = name.strip()
    if not name or len(name) > NAME_LENGTH:
        raise Invalid(
            _n("请写明这一天的名称或依据，如“防汛停工”，不超过 %(most)s 字。"), field="name", most=NAME_LENGTH
        )
    before = override_of(session, day)
    if before is not None and (before.is_working, before.name) == (is_working, name):
        return before
    if before is not None:
        before.superseded_at = now
        session.flush()
    override = DayOverride(
        day=day, is_working=is_working, name=name, decided_by_id=actor.person_id, recorded_at=now
    )
    session.add(override)
    session.flush()
    log.record(
        session,
        actor=actor,
        now=now,
        verb="override",
        kind="day",
        key=day.isoformat(),
        before=None if before is None else {"is_working": before.is_working, "name": before.name},
        after={"is_working": is_working, "name": name},
    )
    cycles.replan(session, day=day, actor=actor, now=now, reason=name)
    return override
