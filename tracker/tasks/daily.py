"""What is done once a day, by whichever worker comes first."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.db import writing
from tracker.domain.actor import operator
from tracker.models import Organization
from tracker.queries.history import SHANGHAI
from tracker.reporting.press import forget_old
from tracker.services import handovers, organizations, sign_offs
from tracker.services.log import record_heads
from tracker.storage import sheets
from tracker.tasks import sealing
from tracker.tasks.results import results_of
from tracker.tasks.workplace import leftovers, remove_dead

RESULTS_KEPT = timedelta(days=30)  # documents that somebody asked for; they are made anew at any time
SECTIONS_KEPT = 2 * 1024**3  # bytes of laid-out sections
SHEETS_KEPT = 2 * 1024**3  # bytes of drawn pages


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


def tidy(engine: Engine, settings: Settings, *, now: datetime) -> None:
    """Remove finished documents that nobody waits for any more, and sections and pages long unused.

    What killed workers left goes too, and what a seal that was interrupted still has to destroy.
    """
    with Session(engine) as session:
        sealing.make_good(session, settings)
    results_of(settings).forget_old(now - RESULTS_KEPT)
    remove_dead(leftovers(settings, now=now))
    forget_old(settings.section_dir, SECTIONS_KEPT)
    sheets.forget_old(settings.section_dir, SHEETS_KEPT)
