"""Works out the traits of files that the hints of the desk compare, a few at a time, between other work."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.db import writing
from tracker.domain.errors import Unavailable
from tracker.domain.media import KINDS
from tracker.services.file_traits import Traits, keep, without_traits
from tracker.storage import child
from tracker.storage.refusal import Refused
from tracker.storage.store import Store
from tracker.tasks.stores import evidence_store

AT_ONCE = 40
SECONDS = 10.0  # after which the rest waits for the next time

logger = logging.getLogger(__name__)


def make_traits(engine: Engine, settings: Settings, *, now: datetime, limit: int = AT_ONCE) -> int:
    """Work out the traits of up to `limit` files that have none yet; return of how many.

    A file that cannot be read gets empty ones, and is not tried again. A fault of the disk ends the round.
    """
    store, until, made = evidence_store(settings), time.monotonic() + SECONDS, 0
    with Session(engine) as session:
        waiting = [(file.id, file.sha256, dict(file.facts)) for file in without_traits(session, limit=limit)]
    for number, digest, facts in waiting:
        if time.monotonic() > until:
            break
        try:
            traits = _traits(store, digest, facts)
        except (OSError, Unavailable):
            logger.exception("the traits of a file could not be worked out; the next round tries again")
            break
        with Session(engine) as session, writing(session):
            keep(session, number, traits, now=now)
        made += 1
    return made


def _traits(store: Store, digest: str, facts: Mapping[str, Any]) -> Traits:
    """The traits of one file; the day of the camera was read when it came in."""
    taken_on = date.fromisoformat(facts["taken_on"]) if facts.get("taken_on") else None
    code = str(facts.get("kind", ""))
    if code not in KINDS or not store.has(digest):
        return Traits(taken_on=taken_on)
    try:
        with TemporaryDirectory() as folder:
            found = child.run("traits", str(store.staged(digest, Path(folder))), code)
    except Refused:
        return Traits(taken_on=taken_on)
    return Traits(found["picture"], taken_on, found["characters"])
