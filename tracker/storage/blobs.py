"""Bytes named by their SHA-256, each kept once and never changed, in a folder of the local disk.

A digest is the only name there is: no user ever names a file. Bytes arrive in a part (a temporary file inside the
store), are forced to the disk, and get their name by a link that never overwrites; so a crash at any moment leaves at
most a part behind, and never a name with other bytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tracker.storage.parts import Arrivals, Blob, Check

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FAN = re.compile(r"[0-9a-f]{2}", re.ASCII)


def checked(digest: str) -> str:
    """The digest itself; ValueError for anything that is not one."""
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"not the name of stored bytes: {digest!r}")
    return digest


class BlobStore(Arrivals):
    """The store in folder `root`, which is made if it does not exist."""

    def __init__(self, root: Path, *, free_space_floor: int = 0) -> None:
        self.root = root.resolve()
        super().__init__(self.root / "parts", free_space_floor=free_space_floor)

    def path(self, digest: str) -> Path:
        """Return where the bytes of that digest lie or would lie; ValueError for anything that is not a digest."""
        name = checked(digest)
        return self.root / name[:2] / name[2:4] / name

    def has(self, digest: str) -> bool:
        """Whether bytes are stored under the digest, whatever they are."""
        return self.path(digest).exists()

    def staged(self, digest: str, folder: Path) -> Path:  # noqa: ARG002  other stores put a copy there
        """Return where the bytes can be read as a file, at least as long as `folder` is there; never to be changed.

        FileNotFoundError if they are not stored.
        """
        path = self.path(digest)
        if not path.exists():
            raise FileNotFoundError(path)
        return path

    def open(self, digest: str) -> io.BufferedReader:
        """Open stored bytes for reading; FileNotFoundError if they are not there."""
        return self.path(digest).open("rb")

    def beginning(self, digest: str, count: int) -> bytes:
        """The first bytes; FileNotFoundError if they are not there."""
        with self.open(digest) as file:
            return file.read(count)

    def size(self, digest: str) -> int:
        """Return how many bytes are stored under the digest; FileNotFoundError if none are."""
        return self.path(digest).stat().st_size

    def stored_at(self, digest: str) -> datetime:
        """Return when the bytes were last handed in (UTC); FileNotFoundError if they are not there."""
        return datetime.fromtimestamp(self.path(digest).stat().st_mtime, UTC)

    def digests(self) -> Iterator[str]:
        """Every stored digest, in ascending order."""
        for first in _fans(self.root):
            for second in _fans(first):
                yield from sorted(file.name for file in second.iterdir() if _DIGEST.fullmatch(file.name))

    def verify(self, digest: str) -> Check:
        """Hash the stored bytes again."""
        try:
            with self.open(digest) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return Check.MISSING
        return Check.OK if found == digest else Check.CHANGED

    def remove_orphan(self, digest: str, *, older_than: datetime) -> bool:
        """Remove bytes that no row names, unless somebody handed them in since; return whether they went.

        For garbage collection only, which knows the rows. A caller that puts the same bytes meanwhile either comes
        first, and makes them young, or comes later, and stores them anew.
        """
        with self._locked():
            try:
                if self.stored_at(digest) >= older_than:
                    return False
            except FileNotFoundError:
                return False
            self._unlink(digest)
            return True

    def leaving(self, *, older_than: datetime) -> list[str]:  # noqa: ARG002  a removal is one step
        """The digests whose removal began before that time and broke off between its steps: here none."""
        return []

    def bring_back(self, *, older_than: datetime) -> list[str]:  # noqa: ARG002  a removal is one step
        """Undo the removals that began before that time and broke off: here none."""
        return []

    def destroy(self, digest: str) -> None:
        """Remove bytes that must not be here, for sealing only; nothing happens if they are gone already."""
        with self._locked():
            self._unlink(digest)
            for copy in self._damaged.glob(f"{digest}-*"):  # what was changed may still tell all
                copy.unlink()

    def adopt(self, part: Path, blob: Blob) -> None:
        """Give a finished part its name. For parts only."""
        target = self.path(blob.sha256)
        _make_durable_folder(target.parent, below=self.root)
        with self._locked():
            if self._has_good(blob.sha256):
                os.utime(target)
            else:
                os.link(part, target)
            _sync_folder(target.parent)

    @property
    def _damaged(self) -> Path:
        """Where bytes lie that are not what they are called."""
        return self.root / "damaged"

    def _has_good(self, digest: str) -> bool:
        """Whether the digest is stored and intact; bytes that are not what they are called are put aside."""
        found = self.verify(digest)
        if found is Check.CHANGED:
            self._damaged.mkdir(exist_ok=True, mode=0o700)
            self.path(digest).rename(self._damaged / f"{digest}-{uuid.uuid4().hex[:8]}")
        return found is Check.OK

    def _unlink(self, digest: str) -> None:
        path = self.path(digest)
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            _sync_folder(path.parent)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes from naming and removing bytes at the same time."""
        descriptor = os.open(self.root / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _fans(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if _FAN.fullmatch(child.name))


def _make_durable_folder(folder: Path, *, below: Path) -> None:
    """Make a folder whose name survives a power cut, with its parents down from `below`."""
    if folder.is_dir():
        return
    if folder.parent != below:
        _make_durable_folder(folder.parent, below=below)
    folder.mkdir(exist_ok=True, mode=0o700)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
