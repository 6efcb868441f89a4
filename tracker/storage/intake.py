"""Takes a file in: from a stream of unknown bytes with a name to a blob with facts, or a sentence why not.

The bytes are safe in the store before this returns; the row that names them is written, and committed, by the caller.
A crash in between leaves an orphan, which garbage collection finds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from tracker.domain.errors import Invalid, TooLarge
from tracker.domain.filename import clean_name
from tracker.domain.media import MEBIBYTE, Family, Kind, Limits, kind_of
from tracker.domain.text import _n
from tracker.storage import child
from tracker.storage.antivirus import Scan, scan
from tracker.storage.parts import Blob, Part
from tracker.storage.refusal import Refused, Why, as_rule_error
from tracker.storage.store import Store

_CHUNK = 256 * 1024


class Readable(Protocol):
    """Anything that hands out bytes: an upload, a file, `io.BytesIO`."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; none at the end."""


@dataclass(frozen=True)
class Accepted:
    """A file that was taken in.

    `facts` is JSON: `kind` (code of the kind), `scan` (clean or not_scanned), and what the content says: `width` and
    `height` in pixels, `taken_on` (ISO day), `pages`, `sheets`, `slides`, `encoding`, `lines`, `characters`.
    """

    sha256: str
    size: int
    name: str
    media_type: str
    facts: dict[str, Any]
    location_removed: bool


def take_in(stream: Readable, *, name: str, store: Store, limits: Limits, clamd: str = "") -> Accepted:
    """Store what the stream holds under its digest, if it is a sound file of the kind that its name announces.

    Raises Invalid, TooLarge or StoreFull, always with `field="files"`; nothing is stored then. A stream that is too
    long is not read to its end. `clamd`: address of a virus scanner, or empty.
    """
    name = clean_name(name)
    kind = kind_of(name)
    with store.part() as part, child.ready("inspect") as inspector:
        _copy(stream, part, name=name, limits=limits)
        with part.settling():
            facts = _inspected(part, kind, inspector, name=name, limits=limits)
        location_removed = bool(facts.pop("location_removed", False))
        facts["scan"] = _scanned(part, name=name, clamd=clamd).value
        blob = _kept(part, kind)
    return Accepted(blob.sha256, blob.size, name, kind.media_type, {"kind": kind.code, **facts}, location_removed)


def _copy(stream: Readable, part: Part, *, name: str, limits: Limits) -> None:
    while chunk := stream.read(_CHUNK):
        if part.size + len(chunk) > limits.file_bytes:
            raise TooLarge(
                _n("《%(name)s》超过 %(most)s MB，请压缩或拆分后再上传。"),
                field="files",
                name=name,
                most=f"{limits.file_bytes / MEBIBYTE:g}",
            )
        part.write(chunk)


def _inspected(part: Part, kind: Kind, inspector: child.Ready, *, name: str, limits: Limits) -> dict[str, Any]:
    try:
        if part.size == 0:
            raise Refused(Why.EMPTY)
        return inspector.run(str(part.path), kind.code, json.dumps(asdict(limits)))
    except Refused as refusal:
        raise as_rule_error(refusal.why, name=name, label=kind.label, values=refusal.values) from None


def _scanned(part: Part, *, name: str, clamd: str) -> Scan:
    found = scan(part.path, clamd)
    if found is Scan.FOUND:
        raise Invalid(
            _n("《%(name)s》被杀毒软件判定带有病毒，不能上传；请在本机查杀后换一份干净的文件。"),
            field="files",
            name=name,
        )
    return found


def _kept(part: Part, kind: Kind) -> Blob:
    """Keep the part; a picture may have been edited in place, so its bytes are hashed as they now are."""
    if kind.family is Family.IMAGE:
        part.reread()
    return part.keep()
