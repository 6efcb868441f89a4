"""The files that jobs made: in the data folder by the key of the job, or by digest in the bucket of all machines."""

from __future__ import annotations

import io
import os
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy.orm import Session

from tracker.config import Settings
from tracker.queries.jobs import is_result_since
from tracker.queries.seals import last_sealed_at
from tracker.storage.store import Store
from tracker.tasks.stores import shared_results
from tracker.tasks.workplace import CLEARED, is_older, remove, remove_dead

_CHUNK = 1024**2
# A seal is dated by the moment its transaction began; another one may be carried out before that ends.
UNCERTAIN = timedelta(minutes=1)
_EVER = datetime.max.replace(tzinfo=UTC)


class Results(Protocol):
    """Where finished documents lie until somebody fetches them; they are made anew at any time."""

    def send(self, made: Path) -> None:
        """Bring a finished file to where all machines find it: not in a transaction, since it may take long.

        Nothing names it yet, so it does no harm if nothing ever does.
        """

    def keep(self, key: str, made: Path) -> None:
        """Give the finished file of a job, which was sent, its place."""

    def open(self, key: str, sha256: str) -> io.BufferedReader | None:
        """Open the file that a job made; None where it is gone."""

    def glance(self, key: str, sha256: str) -> tuple[int, bytes] | None:
        """Its size and its first four bytes, without reading the rest; None where it is gone."""

    def discard(self, session: Session, key: str, sha256: str) -> None:
        """Remove the file of a job whose values were gathered before a seal."""

    def clear(self, before: datetime) -> None:
        """Remove what was made before that moment, after a seal that was decided just before; later ones may go too."""

    def forget_old(self, before: datetime) -> None:
        """Remove what was made before that moment."""


def result_path(settings: Settings, key: str) -> Path:
    """Where the file of a job lies on the only machine of an installation."""
    if not key.isalnum():
        raise ValueError(f"not the key of a job: {key!r}")
    return settings.result_dir / key


class _InFolder:
    """Results in the data folder; what is unfinished lies there too, and a seal takes all of it away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, made: Path) -> None:
        """It is where it has to be."""

    def keep(self, key: str, made: Path) -> None:
        made.rename(result_path(self._settings, key))

    def open(self, key: str, sha256: str) -> io.BufferedReader | None:  # noqa: ARG002  by the key
        try:
            return result_path(self._settings, key).open("rb")
        except FileNotFoundError:
            return None

    def glance(self, key: str, sha256: str) -> tuple[int, bytes] | None:
        content = self.open(key, sha256)
        if content is None:
            return None
        with content:
            return os.fstat(content.fileno()).st_size, content.read(4)

    def discard(self, session: Session, key: str, sha256: str) -> None:  # noqa: ARG002  by the key
        result_path(self._settings, key).unlink(missing_ok=True)

    def clear(self, before: datetime) -> None:  # noqa: ARG002  whoever works here loses it all
        folder = self._settings.result_dir
        for path in folder.glob("*"):  # out of the reach of whoever works on it, then away
            if not path.name.startswith(CLEARED):
                with suppress(FileNotFoundError):
                    path.rename(folder / f"{CLEARED}{uuid.uuid4().hex}")
        for path in folder.glob(f"{CLEARED}*"):
            remove(path)

    def forget_old(self, before: datetime) -> None:
        remove_dead(path for path in self._settings.result_dir.glob("*") if is_older(path, before))


class _Shared:
    """Results in a bucket. Two jobs that made the same bytes share them."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._store, self._unfinished = store, _InFolder(settings)

    def send(self, made: Path) -> None:
        with made.open("rb") as file:
            self._store.put(iter(lambda: file.read(_CHUNK), b""))

    def keep(self, key: str, made: Path) -> None:
        """The row of the job names it by its digest."""

    def open(self, key: str, sha256: str) -> io.BufferedReader | None:  # noqa: ARG002  by the digest
        try:
            return self._store.open(sha256)
        except FileNotFoundError:
            return None

    def glance(self, key: str, sha256: str) -> tuple[int, bytes] | None:  # noqa: ARG002  by the digest
        try:
            return self._store.size(sha256), self._store.beginning(sha256, 4)
        except FileNotFoundError:
            return None

    def discard(self, session: Session, key: str, sha256: str) -> None:  # noqa: ARG002  by the digest
        """Unless a job that was begun after the seal made the same: then nothing of what was sealed is in it."""
        sealed = last_sealed_at(session)
        if sealed is None or not is_result_since(session, sha256, sealed + UNCERTAIN):
            self._store.destroy(sha256)

    def clear(self, before: datetime) -> None:
        self._unfinished.clear(before)
        for digest in self._store.leaving(older_than=_EVER):
            self._store.destroy(digest)
        for digest in list(self._store.digests()):
            with suppress(FileNotFoundError):
                if self._store.stored_at(digest) < before:
                    self._store.destroy(digest)

    def forget_old(self, before: datetime) -> None:
        self._unfinished.forget_old(before)
        self._store.bring_back(older_than=before)
        for digest in list(self._store.digests()):
            self._store.remove_orphan(digest, older_than=before)


def results_of(settings: Settings) -> Results:
    """The results of this installation."""
    store = shared_results(settings)
    return _InFolder(settings) if store is None else _Shared(settings, store)
