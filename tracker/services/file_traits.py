"""Traits of files, the cache behind the hints of the desk: which are still to be made, and keeping them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from tracker.domain.hints import BANDS, bands
from tracker.models import FileTrait, StoredFile


@dataclass(frozen=True)
class Traits:
    """What was worked out of a file; nothing where nothing could be."""

    picture: str | None = None
    taken_on: date | None = None
    characters: int | None = None


def without_traits(session: Session, *, limit: int) -> Sequence[StoredFile]:
    """Files of which nothing has been worked out, the latest first: a check that begins asks for those."""
    query = (
        select(StoredFile)
        .outerjoin(FileTrait, FileTrait.stored_file_id == StoredFile.id)
        .where(FileTrait.id.is_(None), StoredFile.sealed_at.is_(None))
        .order_by(StoredFile.id.desc())
        .limit(limit)
    )
    return session.scalars(query).all()


def keep(session: Session, stored_file_id: int, traits: Traits, *, now: datetime) -> None:
    """Keep the traits of a file, unless somebody else has or the file was sealed meanwhile."""
    file = select(StoredFile.sealed_at).where(StoredFile.id == stored_file_id).with_for_update()
    if session.execute(file).one().sealed_at is not None:
        return
    parts = bands(traits.picture) if traits.picture else (None,) * len(BANDS)
    row = {
        "stored_file_id": stored_file_id,
        "picture": traits.picture,
        **{f"band_{number}": part for number, part in enumerate(parts, start=1)},
        "taken_on": traits.taken_on,
        "characters": traits.characters,
        "made_at": now,
    }
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(FileTrait).on_conflict_do_nothing(), row)
    else:
        session.execute(sqlite.insert(FileTrait).on_conflict_do_nothing(), row)


def forget(session: Session, stored_file_id: int) -> None:
    """Remove what was worked out of a file: what is sealed leaves no picture behind, not even its hash."""
    session.execute(delete(FileTrait).where(FileTrait.stored_file_id == stored_file_id))
