"""What a store of bytes can do, wherever it keeps them, and which one a URL means: a folder, or a bucket."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from tracker.domain.store_place import place_of
from tracker.storage.blobs import BlobStore
from tracker.storage.parts import Blob, Check, Part
from tracker.storage.s3 import S3Store, client_of


class Store(Protocol):
    """Bytes named by their SHA-256, each kept once and never changed. A name that is no digest is a ValueError.

    What does not answer raises Unavailable; bytes that are not what they are called are never handed out by a bucket.
    """

    def part(self) -> AbstractContextManager[Part]:
        """Open a part for arriving bytes; what is not kept by the end of the block is thrown away."""

    def put(self, chunks: Iterable[bytes]) -> Blob:
        """Store the bytes that the chunks make up; memory use does not grow with their number."""

    def has(self, digest: str) -> bool:
        """Whether bytes are stored under the digest, whatever they are."""

    def open(self, digest: str) -> io.BufferedReader:
        """Open stored bytes for reading and seeking; FileNotFoundError if they are not there."""

    def beginning(self, digest: str, count: int) -> bytes:
        """The first bytes, unverified: to tell what kind of file it is; FileNotFoundError if they are not there."""

    def staged(self, digest: str, folder: Path) -> Path:
        """Return where the bytes can be read as a file, at least as long as `folder` is there; never to be changed.

        FileNotFoundError if they are not stored.
        """

    def size(self, digest: str) -> int:
        """Return how many bytes are stored under the digest; FileNotFoundError if none are."""

    def stored_at(self, digest: str) -> datetime:
        """Return when the bytes were last handed in (UTC); FileNotFoundError if they are not there."""

    def digests(self) -> Iterator[str]:
        """Every stored digest, in ascending order."""

    def verify(self, digest: str) -> Check:
        """Hash the stored bytes again."""

    def remove_orphan(self, digest: str, *, older_than: datetime) -> bool:
        """Remove bytes that no row names, unless somebody handed them in since; return whether they went."""

    def leaving(self, *, older_than: datetime) -> list[str]:
        """The digests whose removal began before that time and broke off between its steps."""

    def bring_back(self, *, older_than: datetime) -> list[str]:
        """Undo the removals that began before that time and broke off; return the digests that are back."""

    def destroy(self, digest: str) -> None:
        """Remove bytes that must not be here, for sealing only; nothing happens if they are gone already."""

    def stale_parts(self, *, older_than: datetime) -> Iterator[Path]:
        """Temporary files that a crash left behind on this machine: not written to since that time."""

    def has_room(self) -> bool:
        """Whether the store takes new bytes."""

    def check_room(self) -> None:
        """Raise StoreFull below the low-water mark."""


def open_store(
    url: str,
    folder: Path,
    *,
    key_id: str = "",
    secret: str = "",
    below: str = "",
    free_space_floor: int = 0,
    patience: float | None = None,
) -> Store:
    """Open the store that a URL means; empty: the folder itself.

    `below` is a prefix in a bucket, below that of the URL; bytes for it arrive in `folder` on the local disk.
    With `patience`, in seconds, a bucket is asked once and given up after that time.
    """
    place = place_of(url) if url else folder
    if isinstance(place, Path):
        return BlobStore(place, free_space_floor=free_space_floor)
    timeout, attempts = (place.timeout, 2) if patience is None else (min(place.timeout, patience), 1)
    client = _client(place.endpoint, place.region, timeout, key_id, secret, attempts=attempts)
    return S3Store(client, place.name, place.prefix + below, folder, free_space_floor=free_space_floor)


_client = lru_cache(maxsize=4)(client_of)  # making one takes longer than most requests; threads share it
