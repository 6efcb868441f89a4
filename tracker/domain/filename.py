"""The name a file comes with: decoration that is shown and printed, never a place on a disk."""

from __future__ import annotations

import re
import unicodedata

from tracker.domain.errors import Invalid
from tracker.domain.text import _n

MOST_CHARACTERS = 200

_SEPARATORS = re.compile(r"[/\\]")
# Control, format (bidi overrides, zero-width), surrogate, unassigned characters; line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})


def clean_name(raw: str) -> str:
    """Return the name to keep: NFC, the last part of a path, without blanks and dots at its ends.

    What cannot be seen in a name (line breaks, overrides of the reading direction) is refused and not removed, because
    the name would then say something else than the person sees. Raises Invalid on `files`: no name, no extension,
    unseen characters, more than 200 characters.
    """
    name = unicodedata.normalize("NFC", _SEPARATORS.split(raw)[-1])
    if any(unicodedata.category(character) in _UNSEEN for character in name):
        raise Invalid(
            _n("文件名《%(name)s》含有不可见的控制字符，请重新命名后再上传。"), field="files", name=printable(name)
        )
    name = name.strip(" .\u3000\u00a0") if name.strip(". ") else ""
    if not name:
        raise Invalid(_n("文件没有名称，请重新命名后再上传。"), field="files")
    if len(name) > MOST_CHARACTERS:
        raise Invalid(
            _n("文件名《%(name)s……》超过 %(most)s 个字符，请缩短后再上传。"),
            field="files",
            name=name[:20],
            most=MOST_CHARACTERS,
        )
    return name


def extension(name: str) -> str:
    """Return what stands behind the last dot, in lower case without the dot; empty if there is none."""
    stem, dot, ending = name.rpartition(".")
    return ending.lower() if dot and stem else ""


def printable(raw: str) -> str:
    """Return a name that may stand in a sentence: every unseen character shows as a box, the rest is cut at 60."""
    return "".join("□" if unicodedata.category(c) in _UNSEEN else c for c in raw[:60])
