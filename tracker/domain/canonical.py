r"""One way to write a value as bytes, so that whoever holds the value can redo its digest without this program.

The canonical form is JSON in UTF-8 with these choices fixed: no byte order mark, no white space; the keys of an object
are strings, in ascending order of their code points; every string is in Unicode normal form C; in strings only the
double quote, the backslash and the characters below U+0020 are escaped (as \b \t \n \f \r where JSON has such a short
form, else as \u00xx with lower-case digits); numbers are whole, without fraction or exponent; a day is the string
YYYY-MM-DD, a moment the string YYYY-MM-DDTHH:MM:SS.ffffffZ in UTC.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, date, datetime
from json.encoder import encode_basestring

_as_text = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_AS_THEY_ARE = frozenset({int, bool, type(None)})


def canonical_json(value: object) -> bytes:
    """Return the canonical form of None, bool, int, str, date, aware datetime, and lists, tuples and dicts of these.

    Raises TypeError for anything else (floats above all) and for keys that are not strings; ValueError for a naive
    datetime, for keys that are equal once normalized, and for text that is not valid Unicode.
    """
    return _as_text(_plain(value)).encode("utf-8")


def canonical_text(value: str | None) -> str:
    """Return the canonical form of one string, or of None, as text. Raises TypeError for anything else."""
    return "null" if value is None else encode_basestring(value if value.isascii() else normalized(value))


def digest(data: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def normalized(text: str) -> str:
    """Unicode normal form C: the same letters typed in two ways become the same text."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def moment(at: datetime) -> str:
    """Return an aware datetime as text in UTC, always with six digits of a second."""
    if at.tzinfo is None:
        raise ValueError(f"a moment without a time zone: {at!r}")
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _plain(value: object) -> object:
    """Return the value with normalized strings and nothing that JSON does not know; the usual types come first."""
    kind = type(value)
    if kind is str:
        return normalized(value)  # type: ignore[arg-type]
    if kind in _AS_THEY_ARE:
        return value
    if isinstance(value, Mapping):
        return _plain_object(value)
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return _plain_scalar(value)


def _plain_scalar(value: object) -> str | int:
    if isinstance(value, str):
        return normalized(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no canonical form for {type(value).__name__}: {value!r}")


def _plain_object(members: Mapping[object, object]) -> dict[str, object]:
    plain: dict[str, object] = {}
    for key, member in members.items():
        if not isinstance(key, str):
            raise TypeError(f"a key must be a string: {key!r}")
        name = key if key.isascii() else normalized(key)
        if name in plain:
            raise ValueError(f"two keys are the same once normalized: {key!r}")
        plain[name] = member if type(member) is str and member.isascii() else _plain(member)
    return plain
