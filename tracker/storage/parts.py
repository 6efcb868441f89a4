"""Bytes that arrive: a temporary file on the local disk, hashed as it grows, which a store takes or throws away."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from tracker.domain.errors import RuleError, TooLarge
from tracker.domain.text import _n

_FULL = _n("服务器存储空间不足，暂时不能上传文件；请联系管理员处理后再试。")
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


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

    def __init__(self, store: Arrivals, path: Path) -> None:
        self.path = path
        self.size = 0
        self._store = store
        self._hash = hashlib.sha256()
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
        self._file = os.fdopen(descriptor, "wb", buffering=0)

    def write(self, chunk: bytes) -> None:
        """Append bytes; raises StoreFull when the disk has no room for them."""
        rest = memoryview(chunk)
        with full_disk_refused():
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(chunk)
        self.size += len(chunk)

    @property
    def digest(self) -> str:
        """The SHA-256 of what has arrived so far."""
        return self._hash.hexdigest()

    def reread(self) -> None:
        """Hash the part anew, after its bytes were edited in place through `path`."""
        with self.path.open("rb") as file:
            self._hash = hashlib.file_digest(file, "sha256")
            self.size = file.tell()

    @contextmanager
    def settling(self) -> Iterator[None]:
        """Bring what has arrived to the disk while the block does something else, such as looking into it."""
        with ThreadPoolExecutor(1) as pool:
            settled = pool.submit(os.fsync, self._file.fileno())
            yield
        with full_disk_refused():
            settled.result()

    def keep(self) -> Blob:
        """Make the bytes durable under their digest and return it; the same bytes twice are one blob."""
        blob = Blob(self.digest, self.size)
        with full_disk_refused():
            os.fsync(self._file.fileno())
            self._store.adopt(self.path, blob)
        return blob

    def close(self) -> None:
        """Let go of the temporary file."""
        self._file.close()
        self.path.unlink(missing_ok=True)


class Arrivals(ABC):
    """What every store does with arriving bytes: they come in parts in the folder `parts`, which is made.

    `free_space_floor`: with fewer free bytes than this on its disk the store takes nothing new (`StoreFull`).
    """

    def __init__(self, parts: Path, *, free_space_floor: int = 0) -> None:
        self.free_space_floor = free_space_floor
        self.parts = parts
        self.parts.mkdir(parents=True, exist_ok=True, mode=0o700)

    @abstractmethod
    def adopt(self, part: Path, blob: Blob) -> None:
        """Give a finished part its name. For parts only."""

    @contextmanager
    def part(self) -> Iterator[Part]:
        """Open a part for arriving bytes; what is not kept by the end of the block is thrown away."""
        self.check_room()
        part = Part(self, self.parts / f"{uuid.uuid4().hex}.part")
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

    def stale_parts(self, *, older_than: datetime) -> Iterator[Path]:
        """Temporary files that a crash left behind on this machine: not written to since that time."""
        for path in sorted(self.parts.glob("*.part")):
            with suppress(FileNotFoundError):  # an upload that has just ended
                if path.stat().st_mtime < older_than.timestamp():
                    yield path

    def free_bytes(self) -> int:
        """How many bytes the disk on which bytes arrive has left."""
        return shutil.disk_usage(self.parts).free

    def has_room(self) -> bool:
        """Whether the store takes new bytes."""
        return self.free_bytes() >= self.free_space_floor

    def check_room(self) -> None:
        """Raise StoreFull below the low-water mark."""
        if not self.has_room():
            raise StoreFull(_FULL, field="files")


@contextmanager
def full_disk_refused(refusal: type[RuleError] = StoreFull, sentence: str = _FULL) -> Iterator[None]:
    """Say in a sentence that the disk is full; every other fault of a disk stays what it is."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise refusal(sentence, field="files") from error
        raise
