"""Finishes a volume of a packet: stamps, embedded files, and the digest of the file within itself."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import Pdf, String

from tracker.reporting.binding import SAVING
from tracker.reporting.carrier import start_of_table
from tracker.reporting.embed import Attachments, Embedded
from tracker.reporting.stamp import Stamps, add_stamps

_UNKNOWN = b"0" * 64
_DIGEST = b"/TrkDigest (" + _UNKNOWN + b")"
_TRAILER_ROOM = 1 << 16  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a volume says of itself in its trailer and its QR codes: packet number, volume, digest of the manifest."""

    packet: str
    volume: int
    manifest_sha256: str

    @property
    def qr(self) -> str:
        """The text of the QR code."""
        return f"TRK1 {self.packet} {self.manifest_sha256}"


def finish(source: Path, target: Path, *, stamps: Stamps, files: Sequence[Embedded], identity: Identity) -> str:
    """Write the bound file `source` to `target` with stamps, files and trailer; return its digest, in hex.

    The bytes of every stream of `source` stay as they are. Raises ValueError where the stamps are not one for each
    page, or two files have one name.
    """
    attachments = Attachments(files)
    with tempfile.TemporaryDirectory(prefix="tracker-finish-", dir=target.parent) as folder:
        grown = Path(folder) / "grown.pdf"
        shutil.copyfile(source, grown)
        attachments.add_to(grown)
        with pikepdf.open(grown) as book:
            add_stamps(book, stamps, qr=identity.qr)
            attachments.describe_in(book)
            _identify(book, identity)
            book.save(target, **SAVING)
    return _write_digest(target)


def _identify(book: Pdf, identity: Identity) -> None:
    book.trailer.TrkPacket = String(identity.packet)
    book.trailer.TrkVolume = String(str(identity.volume))
    book.trailer.TrkManifest = String(identity.manifest_sha256)
    book.trailer.TrkDigest = String(_UNKNOWN.decode())


def _write_digest(path: Path) -> str:
    """Write the digest of a file, its own digits read as zeros, where those zeros stand in its trailer."""
    with path.open("r+b") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        start = start_of_table(file)
        file.seek(start)
        file.seek(start + file.read(_TRAILER_ROOM).index(_DIGEST) + _DIGEST.index(_UNKNOWN))
        file.write(digest.encode())
    return digest
