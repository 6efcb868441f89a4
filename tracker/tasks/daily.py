"""What is done once a day, by whichever worker comes first."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tracker.db import writing
from tracker.domain.actor import operator
from tracker.models import Organization
from tracker.queries.history import SHANGHAI
from tracker.services import handovers, organizations, sign_offs
from tracker.services.log import record_heads


def once_a_day(engine: Engine, *, now: datetime) -> bool:
    """Do the work of the day (in Asia/Shanghai) unless it is done; return whether this was the time.

    The heads of all chains are recorded; facts about organizations that begin today come into force; lists are
    made for changes of holder that fall on today; and it is found anew who confirms, since appointments begin and end
    by date.
    """
    with Session(engine) as session, writing(session):
        if not record_heads(session, actor=operator(), now=now):
            return False
        today = now.astimezone(SHANGHAI).date()
        organizations.refresh(session, today=today)
        handovers.prepare_due(session, today=today, actor=operator(), now=now)
        top = session.scalars(select(Organization).where(Organization.parent_id.is_(None)))
        sign_offs.reroute(session, organizations=list(top), now=now)
        return True
