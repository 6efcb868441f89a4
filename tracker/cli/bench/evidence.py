"""Invented files of evidence: photographs as telephones take them, and PDFs as offices scan and print them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from tracker.cli.bench.content import file_of
from tracker.domain.packet import PacketFile
from tracker.storage.blobs import BlobStore

WIDE, HIGH = 4000, 3000  # twelve million dots
ORIENTATION, TURNED = 0x0112, 6
_GRAIN = 220  # dots: noise of this size is blown up, so that a photograph has about 3 MB


@dataclass(frozen=True, slots=True)
class Given:
    """The files of the records, a list for each record, and where photographs and PDFs lie on the disk."""

    records: Sequence[Sequence[PacketFile]]
    photos: Sequence[Path]
    pdfs: Sequence[Path]


def given(store: BlobStore, *, photos: int, pdfs: int, records: int) -> Given:
    """Put so many photographs and PDFs into the store, and share them out to so many records."""
    pictures = [_put(store, f"现场照片{n}.jpg", photograph(n), "image/jpeg") for n in range(photos)]
    papers = [_put(store, f"会议记录{n}.pdf", paper(n), "application/pdf") for n in range(pdfs)]
    return Given(
        [[*pictures[n::records], *papers[n::records]] for n in range(records)],
        [store.staged(file.sha256, store.root) for file in pictures],
        [store.staged(file.sha256, store.root) for file in papers],
    )


def _put(store: BlobStore, name: str, content: bytes, media_type: str) -> PacketFile:
    store.put([content])
    return file_of(name, content, media_type)


def photograph(number: int) -> bytes:
    """A photograph of twelve million dots, on its side as EXIF says; every number has another, always the same."""
    grain = Image.frombytes("RGB", (4 * _GRAIN, 3 * _GRAIN), random.Random(number).randbytes(36 * _GRAIN * _GRAIN))  # noqa: S311
    sky = Image.linear_gradient("L").resize((WIDE, HIGH)).convert("RGB")
    image = Image.blend(sky, grain.resize((WIDE, HIGH), Image.Resampling.BICUBIC), 0.35)
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED
    out = BytesIO()
    image.save(out, "JPEG", quality=85, exif=exif)
    return out.getvalue()


def paper(number: int) -> bytes:
    """A PDF of one page: a scan in grey."""
    grain = Image.frombytes("L", (310, 438), random.Random(number).randbytes(310 * 438))  # noqa: S311
    out = BytesIO()
    grain.resize((1240, 1754)).save(out, "PDF", resolution=150)
    return out.getvalue()
