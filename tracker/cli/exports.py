"""What the operator takes along stands in the access log of its units, as what is taken along on pages does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.queries.inspections import inspection_named, units_of
from tracker.queries.organizations import by_code
from tracker.services import log


def note_export(kind: str, key: str, units: Iterable[int]) -> None:
    """Note for these units (row numbers) that the operator made a file of what concerns them."""
    now = datetime.now(UTC)
    with transaction() as session:
        for unit_id in units:
            log.record_access(
                session, actor=operator(), now=now, verb="document.export", kind=kind, key=key, unit_id=unit_id
            )


def units_in_check(number: int, *, as_of: datetime, unit: str | None = None) -> list[int]:
    """The units that a document of a check tells of: those visited then, or the one that was chosen."""
    visited = units_of(db.session(), inspection_named(db.session(), number), as_of=as_of)
    return [node.id for node in visited if unit in (None, node.code)]


def unit_with(code: str) -> list[int]:
    """The unit that an organization belongs to."""
    found = by_code(db.session(), code)
    return [found.unit_id] if found else []
