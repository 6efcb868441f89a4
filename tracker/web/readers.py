"""Reading is seen: who opens the work of others is written down, and its unit reads on the page who that was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import url_for

from tracker.db import db, transaction
from tracker.models import Duty, Evidence, Organization
from tracker.policy import Act, can
from tracker.queries.log import Reader, readers_of
from tracker.services import log
from tracker.web import clock
from tracker.web.access import current_actor
from tracker.web.as_of import known_at

ON_PAGE = 8  # readers that stand on the page itself


@dataclass(frozen=True)
class Readers:
    """Who has read something: the last ones, how many there are, and where every access is listed."""

    last: Sequence[Reader]
    total: int
    address: str  # empty where that list does not answer this person


def note_opening(thing: Duty | Evidence, verb: str, key: str = "") -> None:
    """Note that this person opened it, unless it is their own work; what they exported is noted in any case."""
    actor, kind = current_actor(), "duty" if isinstance(thing, Duty) else "evidence"
    if not verb.endswith(".download") and can(db.session(), actor, Act.PREPARE, thing):
        return
    now, unit_id, key = clock.now(), thing.unit_id, key or thing.key
    with transaction() as session:
        log.record_access(session, actor=actor, now=now, verb=verb, kind=kind, key=key, unit_id=unit_id)


def readers_shown(thing: Duty | Evidence, keys: Sequence[str]) -> Readers | None:
    """Who read these things, for those who see all that their organization does; None for everybody else."""
    session, actor = db.session(), current_actor()
    if not can(session, actor, Act.REPORT, thing.organization):
        return None
    found = readers_of(session, keys, unit_id=thing.unit_id, as_of=known_at())
    address = ""
    if any(sitting.at_unit for sitting in actor.sittings) and can(
        session, actor, Act.REPORT, session.get_one(Organization, thing.unit_id)
    ):
        address = f"{url_for('log.access')}?{urlencode([('of', key) for key in keys])}"
    return Readers(found[:ON_PAGE], len(found), address)
