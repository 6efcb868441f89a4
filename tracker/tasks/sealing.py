"""What a seal destroys beside the rows: the bytes of sealed files, and everything that was ever made of evidence.

What is being made while something is sealed must not outlive it either: each seal changes the *generation* of the
installation, and nothing is handed over whose values were gathered in an earlier one.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.domain.errors import WrongState
from tracker.domain.text import _n
from tracker.queries.seals import last_sealed_at, sealed_files, seals_done
from tracker.reporting import press
from tracker.storage import sheets
from tracker.storage.preview import Previews
from tracker.tasks.results import UNCERTAIN, results_of
from tracker.tasks.stores import evidence_store

_GENERATION = "seal-generation"  # a random word, a new one for each seal
_DONE = "seals-carried-out"  # until when
_SEEN = "seals-seen"  # how many
_TRIES = 5


class SealedMeanwhile(WrongState):
    """Something was sealed after the values were gathered: what was made of them is thrown away."""


def generation(settings: Settings) -> str:
    """A word that changes when something is sealed. To be read before any values are gathered.

    What other machines seal is known from the database; of a SQLite file there are no others.
    """
    word = _read(settings.data_dir / _GENERATION)
    if settings.database.startswith("sqlite"):
        return word
    with Session(_engine(settings.database)) as session:
        return f"{word}-{seals_done(session)}"


@lru_cache(maxsize=4)
def _engine(url: str) -> Engine:
    return create_engine(url, poolclass=NullPool)


def check_generation(settings: Settings, since: str) -> None:
    """Raise SealedMeanwhile if something was sealed since `generation` said `since`."""
    if generation(settings) != since:
        raise SealedMeanwhile(_n("生成期间有内容被封存，这次做的文件已经作废。请重新生成。"))


def destroy(digests: Iterable[str], settings: Settings, *, decided_at: datetime | None = None) -> None:
    """Remove the bytes of sealed files with their pictures, and what may show a sealed text. Once more does no harm.

    Laid-out sections and finished documents go all of them: they are made anew when somebody asks for them. Of the
    documents of all machines those go that were made by the time of the seal, `decided_at` if that was not just now.
    Raises OSError or Unavailable for what cannot be removed; then it is still owed.
    """
    begun = datetime.now(UTC)
    _write(settings.data_dir / _GENERATION, uuid.uuid4().hex)
    store = evidence_store(settings)
    previews = Previews(settings.preview_dir, store)
    for digest in digests:
        store.destroy(digest)
        previews.forget(digest)
        sheets.forget(settings.section_dir, digest)
    _clear_sections(settings.section_dir)
    results_of(settings).clear((decided_at or begun) + UNCERTAIN)
    _write(settings.data_dir / _DONE, begun.isoformat())


def is_owed(session: Session, settings: Settings) -> bool:
    """Whether a seal was decided whose `destroy` did not come to its end."""
    last = last_sealed_at(session)
    done = _read(settings.data_dir / _DONE)
    return last is not None and (not done or last > datetime.fromisoformat(done) - UNCERTAIN)


def make_good(session: Session, settings: Settings) -> None:
    """Destroy what is owed."""
    if is_owed(session, settings):
        sealed = sealed_files(session)
        session.rollback()
        destroy(sealed, settings)


def keep_up(session: Session, settings: Settings) -> None:
    """Destroy on this machine what was sealed elsewhere, or here without it being noted: for each worker, often."""
    count = seals_done(session)
    if str(count) == (_read(settings.data_dir / _SEEN) or "0"):
        return
    sealed, last = sealed_files(session), last_sealed_at(session)
    session.rollback()
    destroy(sealed, settings, decided_at=last)
    _write(settings.data_dir / _SEEN, str(count))


def carried_out(session: Session, settings: Settings) -> None:
    """Note that a seal was carried out here, if it was the only one since the last note; else `keep_up` looks again."""
    count = seals_done(session)
    if int(_read(settings.data_dir / _SEEN) or 0) == count - 1:
        _write(settings.data_dir / _SEEN, str(count))


def _clear_sections(cache: Path) -> None:
    for _ in range(_TRIES):
        with suppress(OSError):  # somebody seals at the same time, or a child was just writing
            press.clear(cache)
            return
    press.clear(cache)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        return ""


def _write(path: Path, word: str) -> None:
    """Write a word so that it is there whole and survives a loss of power."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    with part.open("w", encoding="ascii") as file:
        file.write(word)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
