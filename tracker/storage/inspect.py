"""Looks into one file in a process of its own: `python -m tracker.storage.inspect [PATH KIND [LIMITS]]`.

Without arguments it reads them, once they are known, from its standard input, as a JSON list on one line.

Prints one JSON object: `{"facts": {…}}`, or `{"refused": reason, "values": {…}}`. The location of a picture is cut out
of the file at PATH. LIMITS is a JSON object with fields of `tracker.domain.media.Limits`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import magic

from tracker.domain.media import KINDS, Family, Kind, Limits
from tracker.storage.child import answer, job
from tracker.storage.images import image_facts
from tracker.storage.packages import OLD_OFFICE, ofd_facts, office_facts, pdf_facts, text_facts
from tracker.storage.refusal import Refused, Why

Facts = dict[str, Any]

# Libmagic takes text for a program or a table at a word; only what a browser would run is not plain text to us.
_NO_PLAIN_TEXT = frozenset({"text/html", "text/xml", "text/rtf", "text/x-shellscript", "text/javascript"})
_HEAD = 1024**2

_CHECKS: Mapping[Family, Callable[[Path, Kind, Limits], Facts]] = {
    Family.IMAGE: lambda path, kind, limits: image_facts(path, kind.code, limits),
    Family.PDF: lambda path, _, limits: pdf_facts(path, limits),
    Family.OFFICE: office_facts,
    Family.OFD: lambda path, _, limits: ofd_facts(path, limits),
    Family.TEXT: lambda path, *_: text_facts(path),
}


def facts_of(path: Path, kind: Kind, limits: Limits) -> Facts:
    """Return what the file says of itself, or raise Refused when it is not a sound file of that kind."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise Refused(Why.EMPTY)
    if not _is_sniffed_as(kind, head):
        raise Refused(Why.OTHER_CONTENT)
    return _CHECKS[kind.family](path, kind, limits)


def _is_sniffed_as(kind: Kind, head: bytes) -> bool:
    """Whether libmagic sees what the name announces."""
    found = magic.from_buffer(head, mime=True)
    if kind.family is Family.TEXT:
        return found not in _NO_PLAIN_TEXT and found.split("/")[0] not in {"image", "video", "audio"}
    if kind.family is Family.OFFICE and head.startswith(OLD_OFFICE):
        return True  # an old or encrypted file: the next check has the better sentence
    return found in kind.sniffed


def main(arguments: list[str]) -> None:
    """Inspect the file that the command line names, or standard input."""

    def work() -> Facts:
        path, code, *rest = job(arguments)
        return facts_of(Path(path), KINDS[code], Limits(**json.loads(rest[0])) if rest else Limits())

    answer(work)


if __name__ == "__main__":
    main(sys.argv[1:])
