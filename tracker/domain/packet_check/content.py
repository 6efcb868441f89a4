"""The content digest of a page: what is seen on it, before the stamp is added (`docs/packet.md`, "Page content")."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tracker.domain.packet_check.parser import Damaged, Name, Real, Ref, Stream, name_of
from tracker.domain.packet_check.reader import Page, PdfReader, opened
from tracker.domain.text import _n

STAMP = "Trk"  # what the names of the fonts and of the code begin with that the stamp brings along
APART = frozenset({"Annots", "Contents", "Parent", "Resources", "StructParents", "Type"})  # of a page's entries
OF_ANNOTATION = frozenset({"P", "Parent", "StructParent"})  # left out of the members of Annots
OF_STREAM = frozenset({"Length"})
STAMP_ENTRIES = frozenset({"Filter", "Length", "TrkStamp"})
DEEPEST_PAGE = 60
MOST_PARTS = 1_000  # streams that the content of a page is made of
MOST_VISITED = 5_000_000  # values that the digests of all pages of a file are made of
LARGEST_CONTENT = 64_000_000  # bytes of a stream in which names are looked for
_NAME = re.compile(rb"/[^\x00\t\n\x0c\r ()<>\[\]{}/%]*")

Names = frozenset[str]


@dataclass(frozen=True)
class PageContent:
    """A page's content digest, the digest of the stamp on it (None: there is no stamp), and what the stamp names.

    The digest of a stamp that is not as it has to be, or not before everything else, is empty.
    """

    content: str
    stamp: str | None
    named: Names = frozenset()


def page_contents(path: Path) -> list[PageContent]:
    """The digests of all pages of a file, in their order. Raises Damaged; OSError where it cannot be opened."""
    with opened(path) as reader:
        return list(page_digests(reader))


def page_digests(reader: PdfReader) -> Iterator[PageContent]:
    """The digests of all pages of a file, in their order. Raises Damaged."""
    pages = reader.pages()
    digests = PageDigests(reader, pages)
    yield from (digests.of(page) for page in pages)


class PageDigests:
    """Digests of the pages of one file; what pages share is hashed once."""

    def __init__(self, reader: PdfReader, pages: list[Page]) -> None:
        self.reader = reader
        self._numbers = {page.ref: number for number, page in enumerate(pages)}
        self._known: dict[Ref, bytes] = {}
        self._borrowing: set[Ref] = set()
        self._borrows = False
        self._resources: dict[tuple[Ref, Names | None], bytes | None] = {}
        self._annotations: dict[Ref, bytes | None] = {}
        self._known_annotations: dict[Ref, bytes] = {}
        self._names: dict[object, Names | None] = {}
        self._left = MOST_VISITED

    def of(self, page: Page) -> PageContent:
        """The digests of one page. Raises Damaged."""
        own, stamps = self._contents(page)
        kept = {name: value for name, value in page.entries.items() if name not in APART and self._stands(value)}
        tokens = {name: self._token(value) for name, value in kept.items()}
        tokens["Contents"] = _sha256(_array(map(self._token, own))).encode()
        annotations = self._annotations_token(page.entries.get("Annots"))
        if annotations is not None:
            tokens["Annots"] = annotations
        resources = self._resources_token(page.entries.get("Resources"), self._used(own))
        if resources is not None:
            tokens["Resources"] = resources
        return PageContent(_sha256(_dictionary(tokens)), *self._stamp(page, stamps))

    def of_object(self, value: object) -> str:
        """`D` of a dictionary, an array or a stream. Raises Damaged."""
        return self._token(value).decode("latin-1")

    def annotations(self, page: Page) -> list[object]:
        """The annotations on a page, as they stand in its array."""
        return self.reader.array(page.entries.get("Annots"))

    def is_unseen_signature(self, annotation: object) -> bool:
        """Whether an annotation is the field of a signature that takes no room on the page and draws nothing."""
        entries = self.reader.dictionary(annotation)
        area = self.reader.array(entries.get("Rect"))
        unseen = len(area) == 4 and (area[0] == area[2] or area[1] == area[3]) and "AP" not in entries
        return unseen and entries.get("Subtype") == "Widget" and entries.get("FT") == "Sig"

    def _contents(self, page: Page) -> tuple[list[object], list[object]]:
        """The content streams of a page: its own, and the stamps."""
        parts = self._parts(page)
        stamps = [part for part in parts if "TrkStamp" in self.reader.stream(part).entries]
        return [part for part in parts if part not in stamps] if stamps else parts, stamps

    def _parts(self, page: Page) -> list[object]:
        whole = page.entries.get("Contents")
        found = self.reader.resolved(whole)
        parts = found if isinstance(found, list) else [whole] if found is not None else []
        if len(parts) > MOST_PARTS:
            raise Damaged(self.reader.where(page.ref), _n("页面内容分成了太多段。"))
        for part in parts:
            self._count(self.reader.stream(part))
        return parts

    def _stamp(self, page: Page, stamps: list[object]) -> tuple[str | None, Names]:
        """The digest of the stamp of a page, and the names of what it draws with."""
        if not stamps:
            return None, frozenset()
        stream = self.reader.stream(stamps[0])
        if len(stamps) > 1:
            raise Damaged(stream.start, _n("一页上有不止一个页边标识。"))
        plain = stream.entries.keys() == STAMP_ENTRIES and stream.entries["Filter"] == "FlateDecode"
        if not plain or self._parts(page)[0] != stamps[0]:
            return "", frozenset()
        names = self._used(stamps) or frozenset()
        return self._hashed(stream), frozenset(name for name in names if name.startswith(STAMP))

    # ------------------------------------------------------------ what of its resources a page uses

    def _used(self, parts: list[object]) -> Names | None:
        """The names that occur in content streams; None where that cannot be seen."""
        found: set[str] = set()
        for part in parts:
            if part not in self._names:
                self._names[part] = self._names_in(self.reader.stream(part))
            names = self._names[part]
            if names is None:
                return None
            found |= names
        return frozenset(found)

    def _names_in(self, stream: Stream) -> Names | None:
        try:
            content = self.reader.content(stream, LARGEST_CONTENT)
        except Damaged:
            return None
        return frozenset(map(name_of, set(_NAME.findall(content))))

    def _resources_token(self, value: object, used: Names | None) -> bytes | None:
        """The token of what a page uses of its resources; None where that is nothing."""
        key = (value, used) if isinstance(value, Ref) else None
        if key is None or key not in self._resources:
            entries = self.reader.dictionary(value)
            self._borrows = False
            tokens = self._categories(entries, used)
            if self._borrows:
                tokens = self._categories(entries, None)
            token = _sha256(_dictionary(tokens)).encode() if tokens else None
            if key is None:
                return token
            self._resources[key] = token
        return self._resources[key]

    def _categories(self, entries: dict[str, object], used: Names | None) -> dict[str, bytes]:
        tokens: dict[str, bytes] = {}
        for kind, member in entries.items():
            inner = self.reader.resolved(member)
            if isinstance(inner, dict):
                own = self._entries({name: inner[name] for name in _taken(inner, used)}, 0)
                if own != _dictionary({}):
                    tokens[kind] = _sha256(own).encode()
            elif inner is not None:
                tokens[kind] = self._token(member)
        return tokens

    def _annotations_token(self, value: object) -> bytes | None:
        """The token of the annotations on a page; None where there is nothing of them to see."""
        if not isinstance(value, Ref) or value not in self._annotations:
            seen = [member for member in self.reader.array(value) if not self.is_unseen_signature(member)]
            token = _sha256(_array(map(self._annotation, seen))).encode() if seen else None
            if not isinstance(value, Ref):
                return token
            self._annotations[value] = token
        return self._annotations[value]

    def _annotation(self, value: object) -> bytes:
        self._count(value)
        if isinstance(value, Ref) and value in self._known_annotations:
            return self._known_annotations[value]
        entries = self.reader.dictionary(value)
        kept = {name: member for name, member in entries.items() if name not in OF_ANNOTATION}
        token = _sha256(self._entries(kept, 0)).encode()
        if isinstance(value, Ref):
            self._known_annotations[value] = token
        return token

    # ------------------------------------------------------------ D and S of `docs/packet.md`

    def _token(self, value: object, depth: int = 0) -> bytes:
        """`D` of an array, a dictionary or a stream; `S` of anything else; `page:N` for a page."""
        self._count(value)
        if depth > DEEPEST_PAGE:
            raise Damaged(self.reader.where(value), _n("对象嵌套过深，或者互相引用。"))
        if not isinstance(value, Ref):
            return self._written(value, depth)
        if value in self._numbers:
            return b"page:%d" % self._numbers[value]
        if value not in self._known:
            before, self._borrows = self._borrows, False
            token = self._written(self.reader.resolved(value), depth)
            if self._borrows:
                self._borrowing.add(value)
            self._borrows |= before
            if len(token) > 64:  # a long string: not worth keeping
                return token
            self._known[value] = token
        self._borrows |= value in self._borrowing
        return self._known[value]

    def _written(self, value: object, depth: int) -> bytes:
        if isinstance(value, list):
            return _sha256(_array(self._token(member, depth + 1) for member in value)).encode()
        if isinstance(value, dict):
            self._borrows |= value.get("Subtype") == "Type3" and not self._stands(value.get("Resources"))
            return _sha256(self._entries(value, depth)).encode()
        if isinstance(value, Stream):
            draws = value.entries.get("Subtype") == "Form" or value.entries.get("PatternType") == 1
            self._borrows |= draws and not self._stands(value.entries.get("Resources"))
            kept = {name: member for name, member in value.entries.items() if name not in OF_STREAM}
            text = self._entries(kept, depth) + b"stream:" + self._hashed(value).encode()
            return _sha256(text).encode()
        return _scalar(value)

    def _entries(self, entries: dict[str, object], depth: int) -> bytes:
        standing = {name: value for name, value in entries.items() if self._stands(value)}
        return _dictionary({name: self._token(value, depth + 1) for name, value in standing.items()})

    def _stands(self, value: object) -> bool:
        """Whether an entry is there at all: one whose value is null is not."""
        if isinstance(value, Ref) and (value in self._known or value in self._numbers):
            return self._known.get(value) != b"null"
        return self.reader.resolved(value) is not None

    def _count(self, value: object) -> None:
        """Count a value that is looked at, as long as they are not too many."""
        self._left -= 1
        if self._left < 0:
            raise Damaged(self.reader.where(value), _n("对象过多，或者互相重叠。"))

    def _hashed(self, stream: Stream) -> str:
        """SHA-256 of a stream's bytes as they lie in the file."""
        found = hashlib.sha256()
        for piece in self.reader.raw(stream):
            found.update(piece)
        return found.hexdigest()


def _taken(entries: dict[str, object], used: Names | None) -> Iterable[str]:
    """The entries of a kind of resources that are taken; all but those of the stamp where it is not known which."""
    if used is None:
        return [name for name in entries if not name.startswith(STAMP)]
    return [name for name in (used if len(used) < len(entries) else entries) if name in used and name in entries]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _array(tokens: Iterator[bytes]) -> bytes:
    return b"[" + b"".join(token + b" " for token in tokens) + b"]"


def _dictionary(tokens: dict[str, bytes]) -> bytes:
    return b"<" + b"".join(_scalar(Name(name)) + b" " + tokens[name] + b" " for name in sorted(tokens)) + b">"


def _scalar(value: object) -> bytes:
    if isinstance(value, Name):
        return b"/%d:%s" % (len(value), value.encode("latin-1"))
    if isinstance(value, bytes):
        return b"(%d:%s" % (len(value), value)
    if isinstance(value, Real):
        return value.encode("ascii")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return b"null" if value is None else str(value).encode("ascii")
