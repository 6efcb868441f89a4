"""Refuses, before a page is laid out, every character that no font of the set can draw."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import is_dataclass
from functools import cache
from typing import get_type_hints

from tracker.domain.errors import Invalid
from tracker.domain.text import _n
from tracker.reporting.fonts import missing_characters
from tracker.reporting.words import Translate

# These are not drawn but turn the order of what stands around them: a printed record may not hold them.
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def check_glyphs(report: object, coverage: frozenset[int], *, translate: Translate) -> None:
    """Raise `Invalid` naming the first character that no font has, its field and its record."""
    for record, label, text in texts(report):
        refuse_missing(text, coverage, record=record, label=translate(label))


def refuse_missing(text: str, coverage: frozenset[int], *, record: str, label: str) -> None:
    """Raise `Invalid` when `text` has a character outside `coverage` (code points)."""
    for character in [*missing_characters(text, coverage), *sorted(_TURNING.intersection(text))]:
        raise Invalid(
            _n(
                "“%(record)s”的“%(label)s”中有现有字体都没有的字符“%(character)s”（%(code)s），无法打印。"
                "请改用其他写法，或者请管理员安装含有该字的字体。"
            ),
            record=_visible(record),
            label=label,
            character=_visible(character),
            code=f"U+{ord(character):04X}",
        )


def texts(value: object, *, record: str = "", label: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (record, label, text) of every text in a document, depth first, in the order of the fields."""
    if isinstance(value, str):
        yield record, label, value
    elif isinstance(value, tuple):
        for part in value:
            yield from texts(part, record=record, label=label)
    elif is_dataclass(value) and not isinstance(value, type):
        record = getattr(value, "record", record)
        for name, own in _labels(type(value)).items():
            yield from texts(getattr(value, name), record=record, label=own)


@cache
def _labels(record: type) -> dict[str, str]:
    """Return the fields of a record, in their order, each with its Chinese label or, where it has none, its name."""
    hints = get_type_hints(record, include_extras=True)
    return {name: getattr(hint, "__metadata__", (name,))[0] for name, hint in hints.items()}


def _visible(text: str) -> str:
    """Return `text` with control and format characters shown as code points, so that a message can carry it."""
    return "".join(f"<U+{ord(c):04X}>" if unicodedata.category(c)[0] == "C" else c for c in text)
