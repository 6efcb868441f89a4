"""Embeds files in a bound PDF, byte for byte and never whole in memory, as PDF/A-3 wants them described."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pikepdf import Array, Dictionary, Name, Object, Pdf, String

from tracker.reporting.binding import pdf_date
from tracker.reporting.carrier import add_streams, chunks_of

TEXTS = frozenset({"application/json", "application/jsonl", "application/yaml"})
STORED, DEFLATED = 0, 6  # what is no text has been compressed by those who made it


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """A file to embed: its ASCII name, what is in it, and what a reader of the list of attachments is told of it.

    `relationship` is `Source`, `Data` or another of PDF's words; `modified` is an aware moment.
    """

    name: str
    content: bytes | Path
    media_type: str
    relationship: str
    description: str
    modified: datetime

    @property
    def is_text(self) -> bool:
        """Whether deflating makes it smaller."""
        return self.media_type.startswith("text/") or self.media_type in TEXTS


@dataclass
class _Measured:
    """What is known of a file once it was read through."""

    size: int = 0
    md5: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))


class Attachments:
    """Files on their way into a PDF: first their bytes are added to the file on disk, then the open PDF is told."""

    def __init__(self, files: Sequence[Embedded]) -> None:
        """Raises ValueError where two files have one name."""
        if len({file.name for file in files}) < len(files):
            raise ValueError("two files to embed have the same name")
        self._files = sorted(files, key=lambda file: file.name)
        self._measured = [_Measured() for _ in files]
        self._numbers: list[int] = []

    def add_to(self, path: Path) -> None:
        """Append the bytes to the PDF `path`. Raises OSError for a file that cannot be read."""
        pairs = zip(self._files, self._measured, strict=True)
        self._numbers = add_streams(path, ((b"/Filter/FlateDecode", _deflated(*pair)) for pair in pairs))

    def describe_in(self, book: Pdf) -> None:
        """Name the files in the opened PDF that they were added to."""
        streams = [book.get_object(number, 0) for number in self._numbers]
        specs = [_spec(book, *facts) for facts in zip(self._files, streams, self._measured, strict=True)]
        names = Array(
            [item for file, spec in zip(self._files, specs, strict=True) for item in (String(file.name), spec)]
        )
        book.Root.Names = Dictionary(EmbeddedFiles=book.make_indirect(Dictionary(Names=names)))
        book.Root.AF = Array(specs)


def _deflated(file: Embedded, measured: _Measured) -> Iterator[bytes]:
    """Yield the content as a zlib stream, and count and check what passes."""
    deflater = zlib.compressobj(DEFLATED if file.is_text else STORED)
    for chunk in chunks_of(file.content):
        measured.size += len(chunk)
        measured.md5.update(chunk)
        yield deflater.compress(chunk)
    yield deflater.flush()


def _spec(book: Pdf, file: Embedded, stream: Object, measured: _Measured) -> Object:
    stream.Type = Name.EmbeddedFile
    stream.Subtype = Name("/" + file.media_type)
    stream.Params = Dictionary(
        Size=measured.size, ModDate=pdf_date(file.modified), CheckSum=String(measured.md5.digest())
    )
    return book.make_indirect(
        Dictionary(
            Type=Name.Filespec,
            F=String(file.name),
            UF=String(file.name),
            Desc=String(file.description),
            AFRelationship=Name("/" + file.relationship),
            EF=Dictionary(F=stream, UF=stream),
        )
    )
