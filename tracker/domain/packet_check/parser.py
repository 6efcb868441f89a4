"""The syntax of PDF objects, read strictly: what is not exactly as the standard has it is refused, never repaired."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Union

from tracker.domain.text import _n

Bytes = Union[bytes, mmap.mmap]  # noqa: UP007  the checker runs on Python 3.9 too

LONGEST_OBJECT = 4_000_000  # bytes of the text of one object, streams not counted
DEEPEST = 60  # arrays and dictionaries in one another
LONGEST_NUMBER = 40  # characters


class Damaged(Exception):
    """The file is not as a PDF has to be. `where` is a place in the file, in bytes; `why` a sentence to translate."""

    def __init__(self, where: int, why: str) -> None:
        super().__init__(where, why)
        self.where = where
        self.why = why


class Name(str):
    """A name; the characters are its bytes."""

    __slots__ = ()


class Real(str):
    """A number with a fraction, as decimal digits without superfluous zeros."""

    __slots__ = ()


class Ref(NamedTuple):
    """A reference to an object."""

    number: int
    generation: int


@dataclass(frozen=True)
class Stream:
    """A stream: its dictionary, and where its bytes lie in the file."""

    entries: dict[str, object]
    start: int
    length: int


_SPACE = rb"[\x00\t\n\x0c\r ]"
_TOKEN = re.compile(
    _SPACE + rb"*(?:"
    rb"(?P<ref>[0-9]{1,10}[\t\n\x0c\r ]{1,4}[0-9]{1,5}[\t\n\x0c\r ]{1,4}R)(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])"
    rb"|(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))"
    rb"|(?P<name>/[^\x00\t\n\x0c\r ()<>\[\]{}/%]*)"
    rb"|(?P<open><<|\[)"
    rb"|(?P<close>>>|\])"
    rb"|(?P<hex><[0-9A-Fa-f\x00\t\n\x0c\r ]*>)"
    rb"|(?P<text>\()"
    rb"|(?P<word>true|false|null)(?![^\x00\t\n\x0c\r ()<>\[\]{}/%])"
    rb"|(?P<comment>%[^\r\n]*)"
    rb")"
)
_IN_TEXT = re.compile(rb"[()\\]")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)|\r\n?", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\r\n": b"", b"\r": b"", b"\n": b""}
_WORDS: dict[bytes, object] = {b"true": True, b"false": False, b"null": None}
_HEX_IN_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
_NOT_HEX = re.compile(_SPACE)


def parse(data: Bytes, place: int, *, base: int = 0) -> tuple[object, int]:
    """Return the object that begins at `place`, and the place behind it.

    Objects are None, bool, int, Real, Name, bytes (a string), Ref, list, and dict with str for the names. `base` is
    added to the places that are named in Damaged.
    """
    stack: list[tuple[bytes, list[object]]] = []
    limit, match = place + LONGEST_OBJECT, _TOKEN.match
    while True:
        token = match(data, place)
        if token is None or token.end() > limit:
            raise Damaged(base + place, _n("这里不是合乎规定的 PDF 对象。"))
        kind, place = token.lastgroup or "", token.end()
        if kind in _ATOMS:
            value = _atom(kind, token[kind], base + place)
        elif kind == "comment":
            continue
        elif kind == "open":
            _begin(token[kind], stack, base + place)
            continue
        else:
            value, place = _ended(token[kind], data, place, stack, base)
        if not stack:
            return value, place
        stack[-1][1].append(value)


def _begin(written: bytes, stack: list[tuple[bytes, list[object]]], where: int) -> None:
    if len(stack) >= DEEPEST:
        raise Damaged(where, _n("对象嵌套过深。"))
    stack.append((written, []))


def _ended(
    written: bytes, data: Bytes, place: int, stack: list[tuple[bytes, list[object]]], base: int
) -> tuple[object, int]:
    """The array or dictionary that ends here, or the string that begins here; and the place behind it."""
    return _text(data, place, base) if written == b"(" else (_closed(written, stack, base + place), place)


def _atom(kind: str, written: bytes, where: int) -> object:
    try:
        return _ATOMS[kind](written)
    except ValueError:
        raise Damaged(where, _n("这里不是合乎规定的 PDF 对象。")) from None


def _closed(written: bytes, stack: list[tuple[bytes, list[object]]], where: int) -> object:
    opened, members = stack.pop() if stack else (b"", [])
    if (opened, written) == (b"[", b"]"):
        return members
    if (opened, written) != (b"<<", b">>") or len(members) % 2:
        raise Damaged(where, _n("数组或字典没有正确结束。"))
    entries: dict[str, object] = {}
    for at in range(0, len(members), 2):
        name = members[at]
        if not isinstance(name, Name) or name in entries:
            raise Damaged(where, _n("字典的键不是名称，或者重复。"))
        entries[name] = members[at + 1]
    return entries


def _text(data: Bytes, place: int, base: int) -> tuple[bytes, int]:
    """A string in parentheses, from behind the first one."""
    start, depth = place, 1
    while depth:
        found = _IN_TEXT.search(data, place, min(len(data), start + LONGEST_OBJECT))
        if found is None or depth > DEEPEST:
            raise Damaged(base + start, _n("字符串没有结束，或者括号嵌套过深。"))
        place = found.end() + (found[0] == b"\\")
        depth += {b"(": 1, b")": -1}.get(found[0], 0)
    return _ESCAPE.sub(_unescaped, data[start : place - 1]), place


def _unescaped(found: re.Match[bytes]) -> bytes:
    written = found[1]
    if written is None:  # an end of line in the text is one line feed, however it is written
        return b"\n"
    if written[:1].isdigit() and written[:1] < b"8":
        return bytes([int(written, 8) & 255])
    return _ESCAPED.get(written, written)


def _hex(written: bytes) -> bytes:
    digits = _NOT_HEX.sub(b"", written[1:-1])
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))


def _number(written: bytes) -> int | Real:
    if len(written) > LONGEST_NUMBER:
        raise ValueError("a number without end")
    if b"." not in written:
        return int(written)
    whole, _, fraction = written.lstrip(b"+-").partition(b".")
    whole, fraction = whole.lstrip(b"0") or b"0", fraction.rstrip(b"0")
    sign = "-" if written[:1] == b"-" else ""
    return Real(f"{sign}{whole.decode()}.{fraction.decode()}") if fraction else int(f"{sign}{whole.decode()}")


@lru_cache(maxsize=4096)
def name_of(written: bytes) -> Name:
    """The name that is written so, its slash included."""
    return Name(_HEX_IN_NAME.sub(lambda found: bytes([int(found[1], 16)]), written[1:]).decode("latin-1"))


def _ref(written: bytes) -> Ref:
    number, generation, _ = written.split()
    return Ref(int(number), int(generation))


_ATOMS: dict[str, Callable[[bytes], object]] = {
    "number": _number,
    "name": name_of,
    "ref": _ref,
    "hex": _hex,
    "word": _WORDS.__getitem__,
}
