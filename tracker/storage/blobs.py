"""Bytes named by their SHA-256, each kept once and never changed, in a folder of the local disk.

A digest is the only name there is: no user ever names a file. Bytes arrive in a part (a temporary file inside the
store), are forced to the disk, and get their name by a link that never overwrites; so a crash at any moment leaves at
most a part behind, and never a name with other bytes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from tracker.domain.errors import TooLarge
from tracker.domain.text import _n

CHUNK = 1024**2

_FULL = _n("服务器存储空间不足，暂时不能上传文件；请联系管理员处理后再试。")
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FAN = re.compile(r"[0-9a-f]{2}", re.ASCII)


class StoreFull(TooLarge):
    """The disk of the store is below its low-water mark (507)."""


class Check(StrEnum):
    """What re-hashing says of a stored file."""

    OK = "ok"
    MISSING = "missing"
    CHANGED = "changed"


@dataclass(frozen=True)
class Blob:
    """Stored bytes: their name and how many they are."""

    sha256: str
    size: int


class Part:
    """Bytes that are arriving. Written by one caller; becomes a blob by `keep`, or vanishes with its `with` block."""

    def __init__(self, store: BlobStore, path: Path) -> None:
        self.path = path
        self.size = 0
        self._store = store
        self._hash = hashlib.sha256()
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises StoreFull when the disk has no room for them."""
        rest = memoryview(chunk)
        with _full_disk_refused():
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(chunk)
        self.size += len(chunk)

    def reread(self) -> None:
        """Hash the part anew, after its bytes were edited in place through `path`."""
        with self.path.open("rb") as file:
            self._hash = hashlib.file_digest(file, "sha256")
            self.size = file.tell()

    def keep(self) -> Blob:
        """Make the bytes durable under their digest and return it; the same bytes twice are one blob."""
        blob = Blob(self._hash.hexdigest(), self.size)
        with _full_disk_refused():
            os.fsync(self._file.fileno())
            self._store._adopt(self.path, blob)
        return blob

    def close(self) -> None:
        """Let go of the temporary file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class BlobStore:
    """The store in folder `root`, which is made if it does not exist.

    `free_space_floor`: with fewer free bytes than this on its disk the store takes nothing new (`StoreFull`).
    """

    def __init__(self, root: Path, *, free_space_floor: int = 0) -> None:
        self.root = root.resolve()
        self.free_space_floor = free_space_floor
        self._parts = self.root / "parts"
        self._parts.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def part(self) -> Iterator[Part]:
        """Open a part for arriving bytes; what is not kept by the end of the block is thrown away."""
        self.check_room()
        part = Part(self, self._parts / f"{uuid.uuid4().hex}.part")
        try:
            yield part
        finally:
            part.close()

    def put(self, chunks: Iterable[bytes]) -> Blob:
        """Store the bytes that the chunks make up; memory use does not grow with their number."""
        with self.part() as part:
            for chunk in chunks:
                part.write(chunk)
            return part.keep()

    def path(self, digest: str) -> Path:
        """Return where the bytes of that digest lie or would lie; ValueError for anything that is not a digest."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError(f"not the name of stored bytes: {digest!r}")
        return self.root / digest[:2] / digest[2:4] / digest

    def open(self, digest: str) -> io.BufferedReader:
        """Open stored bytes for reading; FileNotFoundError if they are not there."""
        return self.path(digest).open("rb")

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

    def destroy(self, digest: str) -> None:
        """Remove bytes that must not be here, for sealing only; nothing happens if they are gone already."""
        with self._locked():
            self._unlink(digest)

    def stale_parts(self, *, older_than: datetime) -> Iterator[Path]:
        """Temporary files that a crash left behind: not written to since that time."""
        for path in sorted(self._parts.glob("*.part")):
            with suppress(FileNotFoundError):  # an upload that has just ended
                if path.stat().st_mtime < older_than.timestamp():
                    yield path

    def free_bytes(self) -> int:
        """How many bytes the disk of the store has left."""
        return shutil.disk_usage(self.root).free

    def has_room(self) -> bool:
        """Whether the store takes new bytes."""
        return self.free_bytes() >= self.free_space_floor

    def check_room(self) -> None:
        """Raise StoreFull below the low-water mark."""
        if not self.has_room():
            raise StoreFull(_FULL, field="files")

    def _adopt(self, part: Path, blob: Blob) -> None:
        """Give a finished part its name."""
        target = self.path(blob.sha256)
        _make_durable_folder(target.parent, below=self.root)
        with self._locked():
            if self._has_good(blob.sha256):
                os.utime(target)
            else:
                os.link(part, target)
            _sync_folder(target.parent)

    def _has_good(self, digest: str) -> bool:
        """Whether the digest is stored and intact; bytes that are not what they are called are put aside."""
        found = self.verify(digest)
        if found is Check.CHANGED:
            aside = self.root / "damaged"
            aside.mkdir(exist_ok=True, mode=0o700)
            self.path(digest).rename(aside / f"{digest}-{uuid.uuid4().hex[:8]}")
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


@contextmanager
def _full_disk_refused() -> Iterator[None]:
    """Say in a sentence that the disk is full; every other fault of a disk stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull(_FULL, field="files") from error
        raise


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
